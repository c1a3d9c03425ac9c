import type { ModelScript } from './scripted-model.js';

/** Arguments of the calls that {@link WEATHER_MODEL} makes. */
export const WEATHER_ARGUMENTS = '{"city": "Paris 😀"}';
const CALL = `<tool_call>\n{"name": "weather", "arguments": ${WEATHER_ARGUMENTS}}\n</tool_call>`;

/** Model of Hermes' form that calls for the weather, thinks when it is asked to, and says what a tool has found. */
export const WEATHER_MODEL = {
  card: { thought: { begin: '<think>', end: '</think>' }, callFormat: 'hermes' },
  answer(prompt: string): string {
    if (prompt.includes('tool: ')) return 'It is sunny 😀.';
    if (prompt.includes('think')) return '<think>\nHm 😀.\n</think>\n\nDone.';
    if (prompt.includes('eather')) return `Let me see.\n${CALL}\n${CALL}`;
    return ` echo of ${prompt}`;
  },
} satisfies Partial<ModelScript>;
