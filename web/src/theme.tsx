/** Light, dark, or as the system is; kept in this browser. */
import { effect, signal } from '@preact/signals';

const THEMES = ['auto', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];
const KEY = 'aloft.theme';

const kept = THEMES.find((one) => one === localStorage.getItem(KEY));
export const theme = signal<Theme>(kept ?? 'auto');
effect(() => {
  document.documentElement.dataset['theme'] = theme.value;
  localStorage.setItem(KEY, theme.value);
});

export function ThemeSwitch() {
  return (
    <label>
      Theme{' '}
      <select
        value={theme.value}
        onChange={(event) =>
          (theme.value = THEMES.find((one) => one === event.currentTarget.value) ?? 'auto')
        }
      >
        {THEMES.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
    </label>
  );
}
