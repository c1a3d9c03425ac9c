/** The second client, in a process of its own: what the attacker computes must not hold up its clock. */
let isOver = true;
let waits;
let clients = [];

async function ask(kind, url, body) {
  while (!isOver) {
    const startMs = performance.now();
    try {
      const answer = await fetch(url, body === undefined ? {} : { method: 'POST', body });
      await answer.arrayBuffer();
      if (!answer.ok && answer.status !== 429 && answer.status !== 503)
        waits.faults.push(`${url} ${answer.status}`);
    } catch (error) {
      waits.faults.push(`${url} ${error.cause?.code ?? error.message}`);
    }
    waits[kind].push(performance.now() - startMs);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** @param {unknown} message address to watch, or `stop` */
function take(message) {
  const url = String(message);
  if (url === 'stop') {
    isOver = true;
    void Promise.all(clients).then(() => process.send(waits));
    return;
  }
  isOver = false;
  waits = { health: [], text: [], faults: [] };
  clients = [
    ask('health', `${url}/v2/health/live`),
    ask('text', `${url}/v2/models/ensemble/generate`, '{"text_input":"The sea","max_tokens":4}'),
  ];
}

process.on('message', take);
