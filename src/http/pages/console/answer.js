// The answer: its status, what its headers say, its errors in plain words, and its body.

// Above this the body is shown without colours, as a node for each token would make the page slow.
const COLOURED_BODY_AT_MOST = 400_000;
const SHOWN_AT_MOST = 5_000_000;

const SHOWN_HEADERS = ['X-Correlation-ID', 'RateLimit', 'RateLimit-Policy', 'Retry-After'];

function sizeText(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

function timeText(milliseconds) {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}

/** `tracks.nodes.3.title`, out of an error's path. */
const pathText = (path) => path.join('.');

function createAnswer({ goTo }) {
  let shown = '';

  function status(mood, state, ...details) {
    byId('status').replaceChildren(
      element('span', { className: `state ${mood}` }, state),
      ...details.map((detail) => element('span', {}, detail)),
    );
  }

  function body(pieces, text) {
    shown = text;
    byId('nothing').hidden = true;
    byId('copy').hidden = !text;
    byId('body').replaceChildren(painted(pieces));
    byId('body').scrollTop = 0;
  }

  function facts(headers) {
    const found = SHOWN_HEADERS.filter((name) => headers?.has(name));
    byId('facts').hidden = !found.length;
    byId('facts').replaceChildren(
      ...found.flatMap((name) => [element('dt', {}, name), element('dd', {}, headers.get(name))]),
    );
  }

  function problem(error) {
    const code = error?.extensions?.code;
    const message = typeof error?.message === 'string' ? error.message : 'An error without a message.';
    const where = element('div', { className: 'where' });
    if (Array.isArray(error?.path)) where.append(element('span', {}, `at ${pathText(error.path)}`));
    for (const { line, column } of Array.isArray(error?.locations) ? error.locations : []) {
      if (!Number.isInteger(line) || !Number.isInteger(column)) continue;
      where.append(element('button', { type: 'button', onclick: () => goTo(line, column) }, `line ${line}, column ${column}`));
    }
    return element(
      'li',
      {},
      typeof code === 'string' ? element('span', { className: 'code' }, code) : null,
      message,
      where.childNodes.length ? where : null,
    );
  }

  function problems(list) {
    byId('problems').hidden = !list.length;
    byId('problems').replaceChildren(...list);
  }

  byId('copy').addEventListener('click', async () => {
    toast((await copy(shown)) ? 'Answer copied.' : 'The browser does not allow copying here.');
  });

  return {
    waiting() {
      status('quiet', 'Waiting…');
    },

    /** Where there is no answer to show: cancelled, no network, or something that can't be sent. */
    none(mood, state, explanation) {
      status(mood, state);
      facts(null);
      problems(explanation ? [element('li', {}, explanation)] : []);
      body([], '');
    },

    show(response, bytes, milliseconds) {
      const name = [response.status, response.statusText].filter(Boolean).join(' ');
      const text = new TextDecoder().decode(bytes);
      facts(response.headers);

      let answer = null;
      let pieces = null;
      try {
        answer = JSON.parse(text);
        pieces = text.length > COLOURED_BODY_AT_MOST ? [['', text]] : prettyJson(text);
      } catch {
        const type = response.headers.get('Content-Type') ?? 'no content type';
        status('bad', name, timeText(milliseconds), sizeText(bytes.byteLength));
        problems([element('li', {}, text.trim() ? `The answer is not JSON (${type}). This is what came:` : 'The answer is empty.')]);
        body([['', text.slice(0, SHOWN_AT_MOST)]], text);
        return;
      }

      const errors = Array.isArray(answer?.errors) ? answer.errors : [];
      const mood = !response.ok ? 'bad' : errors.length ? 'warn' : 'good';
      const count = errors.length ? [errors.length === 1 ? '1 error' : `${errors.length} errors`] : [];
      status(mood, name, ...count, timeText(milliseconds), sizeText(bytes.byteLength));
      const isGraphql = answer !== null && typeof answer === 'object' && ('data' in answer || 'errors' in answer);
      problems(
        isGraphql ? errors.map(problem) : [element('li', {}, 'The answer is JSON, but not one of GraphQL: it has neither data nor errors.')],
      );
      const whole = joined(pieces);
      body(whole.length > SHOWN_AT_MOST ? [['', `${whole.slice(0, SHOWN_AT_MOST)}\n…`]] : pieces, whole);
    },
  };
}
