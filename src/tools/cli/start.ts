/** `aloft start`, which is `npm start`: the demo model from its checkpoint to streamed text, then to a server. */
import { AloftError } from '../../core/errors.js';
import type { RunningServer } from '../../serve/start/server.js';
import { tryLines } from '../../serve/start/startup-print.js';
import { iterateEvents } from '../../text/event-stream.js';
import { collectAnswer, summaryLine } from '../run/output.js';
import { demoEngine } from './demo-engine.js';
import { loadScreen } from './load-shown.js';
import type { RegisterCommand } from './main.js';
import { type MakeLoader, serveUntilSignal, startFromFlags } from './serve.js';
import { addServeFlags, type ServeFlags } from './serve-flags.js';
import { serveOptions } from './serve-options.js';
import { requireServedOptions } from './served-engines.js';
import type { Terminal } from './terminal.js';

const DEMO_PROMPT = 'What is deep learning ?';

interface StartFlags extends ServeFlags {
  readonly prompt: string;
  readonly serve: boolean;
}

export function startCommand(makeLoader: MakeLoader): RegisterCommand {
  return (command, terminal) => {
    command
      .optionsGroup('Demo:')
      .option('--prompt <text>', 'what to ask', DEMO_PROMPT)
      .option('--no-serve', 'stop after the answer');
    addServeFlags(command);
    command.setOptionValue('logLevel', 'warning');
    command.action(async (flags: StartFlags) => {
      const options = serveOptions({ ...flags, engineDir: await demoEngine(terminal) });
      requireServedOptions(options);
      const screen = loadScreen(terminal);
      const loader = makeLoader(options, screen.show);
      const started = await startFromFlags(command, options, loader, screen.terminal);
      const { server } = started;
      await server.modelsLoaded;
      await answer(server, flags.prompt, terminal);
      if (!flags.serve) return void (await server.close());
      terminal.out(
        `\nServing the demo model; Ctrl-C stops it.\n${tryLines(options, server.ports, 'ensemble').join('\n')}\n`,
      );
      return serveUntilSignal(started, { exitOnError: true, terminal });
    });
  };
}

/** Streams the demo model's answer, through the engine that is served. */
async function answer(server: RunningServer, prompt: string, terminal: Terminal): Promise<void> {
  const [engine] = server.context.repository.engines();
  if (engine === undefined) throw new AloftError('MODEL_UNAVAILABLE', 'The demo model is not loaded.');
  terminal.out(`\n> ${prompt}\n`);
  const answered = await collectAnswer(
    iterateEvents(engine.loaded.generator, {
      prompt: { type: 'chat', messages: [{ role: 'user', content: prompt }], templateArguments: {} },
      maxOutputTokens: 128,
    }),
    (text) => terminal.out(text),
    ({ error }) => {
      throw new AloftError(error.code, error.message);
    },
  );
  terminal.out(`\n${summaryLine(answered)}\n`);
}
