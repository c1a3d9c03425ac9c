/** The page: the conversation on one side, the batcher on the other; on a phone one above the other. */
import { useEffect } from 'preact/hooks';
import { Batcher } from './batcher.js';
import { openChats } from './chats.js';
import { Conversation } from './conversation.js';
import { apiKey, followBatchers, loadModels, models, notReady, selectedModel } from './state.js';
import { Settings } from './settings.js';
import { ThemeSwitch } from './theme.js';

export function App() {
  useEffect(() => {
    void loadModels();
    void openChats();
    return followBatchers();
  }, []);
  return (
    <>
      <header>
        <h1>Aloft</h1>
        <label>
          Model{' '}
          <select
            value={selectedModel.value}
            onChange={(event) => (selectedModel.value = event.currentTarget.value)}
          >
            {models.value.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <p class={`health ${notReady.value === undefined ? 'ready' : 'busy'}`} role="status">
          {notReady.value ?? 'ready'}
        </p>
        <ThemeSwitch />
        <details class="key">
          <summary>API key</summary>
          <label>
            Key, if the server asks for one{' '}
            <input
              type="password"
              autocomplete="off"
              value={apiKey.value}
              onChange={(event) => {
                apiKey.value = event.currentTarget.value;
                void loadModels();
              }}
            />
          </label>
        </details>
      </header>
      <main>
        <section class="talk" aria-label="Conversation">
          <Conversation />
          <Settings />
        </section>
        <section class="engine" aria-label="Batcher">
          <Batcher />
        </section>
      </main>
    </>
  );
}
