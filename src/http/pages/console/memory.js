// What is remembered: the draft and the token with the tab, the history with the browser, a link with nobody.

const HISTORY = 'empulse.console.history';
const DRAFT = 'empulse.console.draft';
const TOKEN_KEPT = 'empulse.console.token';
const HISTORY_LENGTH = 20;

// A browser may refuse storage, and what is in it may be somebody else's; neither may stop the console.
function recall(storage, key) {
  try {
    return JSON.parse(window[storage].getItem(key));
  } catch {
    return null;
  }
}

function keep(storage, key, value) {
  try {
    if (value) window[storage].setItem(key, JSON.stringify(value));
    else window[storage].removeItem(key);
  } catch {
    // Then it is not remembered.
  }
}

/** Whether a text gives a value to something that is named like a secret, as an argument, a default or in JSON. */
function holdsSecret(text) {
  return /(?:pass|token|secret|code|tin\b|otp)\w*"?\s*:\s*(?:[[\]\w!]+\s*=\s*)?\[?\s*"/i.test(text);
}

const isText = (value) => typeof value === 'string';

function recallHistory() {
  const kept = recall('localStorage', HISTORY);
  if (!Array.isArray(kept)) return [];
  return kept
    .filter((one) => one && isText(one.query) && isText(one.variables) && Number.isFinite(one.at))
    .slice(0, HISTORY_LENGTH);
}

function addToHistory({ query, variables, operation }) {
  if (!query.trim() || holdsSecret(query) || holdsSecret(variables)) return;
  const others = recallHistory().filter(
    (one) => one.query !== query || one.variables !== variables || one.operation !== operation,
  );
  keep('localStorage', HISTORY, [{ query, variables, operation, at: Date.now() }, ...others].slice(0, HISTORY_LENGTH));
}

const clearHistory = () => keep('localStorage', HISTORY, null);

/** The address of a query, in the part that a browser does not send to any server. */
function linkTo({ query, variables, operation }) {
  const parts = new URLSearchParams({ query });
  if (variables.trim()) parts.set('variables', variables);
  if (operation) parts.set('operation', operation);
  return `${location.pathname}#${parts}`;
}

function readLink() {
  const parts = new URLSearchParams(location.hash.slice(1));
  if (!parts.has('query')) return null;
  return {
    query: parts.get('query'),
    variables: parts.get('variables') ?? '',
    operation: parts.get('operation'),
  };
}
