// The console put together: what the controls do, and how an operation is sent.

const ACCEPTED = 'application/graphql-response+json, application/json;q=0.9';

const main = byId('console');
const variables = byId('variables');
const token = byId('token');
const picker = byId('operation');

const editor = createEditor(byId('editor'));
const answer = createAnswer({
  goTo(line, column) {
    view('query');
    editor.goTo(line, column);
  },
});
const explorer = createExplorer({
  editor,
  onInsert(name) {
    view('query');
    toast(`${name} is in the editor.`);
  },
});

// Panes

function view(name) {
  main.dataset.view = name;
  for (const button of document.querySelectorAll('.views button')) {
    if (button.dataset.view === name) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }
  if (name === 'schema') explorer.wake();
}

function browse(open) {
  document.body.classList.toggle('browsing', open);
  byId('toggle-schema').setAttribute('aria-expanded', String(open));
  if (open) explorer.wake();
}

for (const button of document.querySelectorAll('.views button')) {
  button.addEventListener('click', () => view(button.dataset.view));
}
byId('toggle-schema').addEventListener('click', () => browse(!document.body.classList.contains('browsing')));

// The operation

let operations = [];

function current() {
  const operation = operations.length > 1 ? picker.value : operations[0]?.name ?? '';
  return { query: editor.text, variables: variables.value, operation };
}

function readOperations() {
  operations = operationsOf(editor.text);
  const names = operations.map(({ name }) => name).filter(Boolean);
  const chosen = picker.value;
  picker.replaceChildren(...names.map((name) => element('option', { value: name }, name)));
  if (names.includes(chosen)) picker.value = chosen;
  picker.hidden = operations.length < 2 || !names.length;
}

let checking;

function checkVariables() {
  clearTimeout(checking);
  let mistake = '';
  try {
    readVariables(variables.value);
  } catch (error) {
    mistake = error.message;
  }
  if (byId('variables-mistake').textContent !== mistake) byId('variables-mistake').textContent = mistake;
  variables.setAttribute('aria-invalid', String(Boolean(mistake)));
  return !mistake;
}

const saveDraft = () => keep('sessionStorage', DRAFT, current());

function edited() {
  readOperations();
  saveDraft();
  // The text is no longer what the link says, and a reload should not bring that back.
  if (location.hash) history.replaceState(null, '', location.pathname);
}

function load({ query, variables: given, operation }) {
  editor.replace(query);
  variables.value = given;
  edited();
  if (operation) picker.value = operation;
  checkVariables();
  view('query');
}

editor.area.addEventListener('input', edited);
picker.addEventListener('change', saveDraft);
variables.addEventListener('input', () => {
  edited();
  // A half-written value is no mistake yet.
  clearTimeout(checking);
  checking = setTimeout(checkVariables, 600);
});
variables.addEventListener('change', checkVariables);

byId('prettify').addEventListener('click', () => {
  const pretty = editor.text.trim() ? prettyDocument(editor.text) : editor.text;
  if (pretty === null) toast('This can’t be read as GraphQL without losing something, so it stays as it is.');
  else editor.replace(pretty);
  if (variables.value.trim() && checkVariables()) variables.value = `${joined(prettyJson(variables.value))}\n`;
  saveDraft();
});

// Sending

let underway = null;

function running(is) {
  document.body.classList.toggle('running', is);
  const [shown, other] = is ? [byId('cancel'), byId('run')] : [byId('run'), byId('cancel')];
  const focused = document.activeElement === other;
  shown.hidden = false;
  other.hidden = true;
  if (focused) shown.focus();
}

function refuse(state, explanation) {
  answer.none('bad', state, explanation);
  view('answer');
}

/** What is sent, or null where it was said why it can't be. */
function prepared() {
  const { query, operation } = current();
  if (!query.trim()) {
    refuse('Not sent', 'There is no query yet.');
    return null;
  }
  if (!checkVariables()) {
    refuse('Not sent', `The variables are not JSON. ${byId('variables-mistake').textContent}`);
    return null;
  }
  const chosen = operations.find(({ name }) => (name ?? '') === operation);
  if (chosen?.type === 'subscription') {
    refuse('Not sent', 'Subscriptions go over a WebSocket; this console sends queries and mutations.');
    return null;
  }
  const headers = { 'Content-Type': 'application/json', 'Accept': ACCEPTED };
  const bearer = token.value.trim().replace(/^Bearer\s+/i, '');
  // Anything else could not stand in a header, and the browser would blame the network.
  if (/[^\x21-\x7e]/.test(bearer)) {
    refuse('Not sent', 'The access token holds a character that no token has. Was it copied whole, and alone?');
    return null;
  }
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  const body = { query, variables: readVariables(variables.value), operationName: operation || undefined };
  return { headers, body: JSON.stringify(body) };
}

async function run() {
  if (underway) return;
  const request = prepared();
  if (!request) return;
  addToHistory(current());
  if (matchMedia('(max-width: 68rem)').matches) browse(false);
  view('answer');
  underway = new AbortController();
  running(true);
  answer.waiting();
  const start = performance.now();
  try {
    // Who asks is the token above and nothing else: a cookie that happens to be there stays out of it.
    const response = await fetch('/graphql', {
      method: 'POST', credentials: 'omit', signal: underway.signal, ...request,
    });
    const bytes = await response.arrayBuffer();
    answer.show(response, bytes, performance.now() - start);
  } catch (error) {
    const time = timeText(performance.now() - start);
    if (error.name === 'AbortError') answer.none('warn', `Cancelled after ${time}`, '');
    else answer.none('bad', 'No answer', `The request got no answer after ${time}: ${error.message}. Does the service run, and is it reached?`);
  } finally {
    underway = null;
    running(false);
  }
}

byId('run').addEventListener('click', run);
byId('cancel').addEventListener('click', (event) => {
  // The second click of a double click on “Run” lands here.
  if (event.detail < 2) underway?.abort();
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !document.querySelector('dialog[open]')) {
    event.preventDefault();
    run();
  }
});

// Token

token.value = recall('sessionStorage', TOKEN_KEPT) ?? '';
token.addEventListener('input', () => keep('sessionStorage', TOKEN_KEPT, token.value.trim()));
byId('show-token').addEventListener('click', ({ currentTarget }) => {
  const show = token.type === 'password';
  token.type = show ? 'text' : 'password';
  currentTarget.textContent = show ? 'Hide' : 'Show';
  currentTarget.setAttribute('aria-pressed', String(show));
});

// Examples, history, link

function choice(dialog, loaded, ...lines) {
  const choose = () => {
    dialog.close();
    load(loaded);
  };
  return element('li', {}, element('button', { type: 'button', onclick: choose }, ...lines));
}

for (const dialog of document.querySelectorAll('dialog')) {
  dialog.querySelector('.close').addEventListener('click', () => dialog.close());
  // The backdrop belongs to the dialog, so a click on it arrives there.
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
}

const examples = byId('examples');
examples.querySelector('.choices').append(
  ...EXAMPLES.map((example) =>
    choice(examples, example, element('strong', {}, example.title), element('span', {}, example.about))),
);
byId('open-examples').addEventListener('click', () => examples.showModal());

const past = byId('history');

function showHistory() {
  const kept = recallHistory();
  const list = kept.map((one) => {
    const time = new Date(one.at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
    const excerpt = one.query.replace(/\s+/g, ' ').trim().slice(0, 160);
    return choice(
      past,
      one,
      element('strong', {}, one.operation || 'Without a name'),
      element('span', { className: 'excerpt' }, excerpt),
      element('span', {}, time),
    );
  });
  past.querySelector('.choices').replaceChildren(
    ...(list.length ? list : [element('li', { className: 'none' }, 'Nothing has been run yet.')]),
  );
  byId('clear-history').disabled = !list.length;
}

byId('open-history').addEventListener('click', () => {
  showHistory();
  past.showModal();
});
byId('clear-history').addEventListener('click', () => {
  clearHistory();
  showHistory();
  past.querySelector('.close').focus();
});

byId('share').addEventListener('click', async () => {
  const shared = current();
  if (holdsSecret(shared.query)) {
    toast('The query holds what looks like a secret, so there is no link to it.');
    return;
  }
  const left = holdsSecret(shared.variables);
  if (left) shared.variables = '';
  history.replaceState(null, '', linkTo(shared));
  const said = (await copy(location.href)) ? 'Link copied.' : 'The link is in the address bar.';
  toast(left ? `${said} It leaves out the variables, which hold what looks like a secret.` : said);
});

/** Takes what a link says into the editor. It is never run: a link can come from anybody. */
function followLink() {
  if (location.hash === '#schema') {
    browse(true);
    view('schema');
    return true;
  }
  const link = readLink();
  if (!link) return false;
  const hash = location.hash;
  load(link);
  history.replaceState(null, '', location.pathname + hash);
  toast('This came with the link. Read it before you run it.');
  return true;
}

window.addEventListener('hashchange', followLink);

// Start

const draft = recall('sessionStorage', DRAFT);
const first = isText(draft?.query) && isText(draft.variables) ? draft : EXAMPLES[0];
editor.fill(first.query);
variables.value = first.variables;
readOperations();
if (isText(first.operation)) picker.value = first.operation;
checkVariables();
if (!followLink() && matchMedia('(min-width: 68rem)').matches) browse(true);
