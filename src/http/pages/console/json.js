// JSON as text: where it is wrong, and how it reads best. Numbers, escapes and the order of keys stay exactly as they
// were written, which a trip through JSON.parse and back would not keep.

class JsonMistake extends Error {
  constructor(text, offset, expected) {
    const before = text.slice(0, offset).split('\n');
    const found = offset < text.length ? JSON.stringify(String.fromCodePoint(text.codePointAt(offset))) : 'the end';
    super(`Line ${before.length}, column ${before.at(-1).length + 1}: expected ${expected}, found ${found}.`);
    this.offset = offset;
  }
}

const JSON_TOKEN = new RegExp(
  [
    /(?<string>"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*")/,
    /(?<number>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/,
    /(?<word>true|false|null)/,
    /(?<mark>[{}[\]:,])/,
  ].map((part) => part.source).join('|'),
  'y',
);
const JSON_SPACE = /[ \t\n\r]*/y;

/**
 * The text as coloured pieces, laid out with two spaces a level; throws a `JsonMistake` where it is not JSON. The
 * nesting is kept in a list and not on the call stack, so that a deep answer can't exhaust it.
 */
function prettyJson(text) {
  const pieces = [];
  const open = [];
  let state = 'value';
  let offset = 0;

  const expectations = {
    'value': 'a value',
    'value or end': 'a value or ]',
    'key': 'a key in double quotes',
    'key or end': 'a key in double quotes or }',
    'colon': 'a colon',
    'more': () => (open.at(-1) === '{' ? 'a comma or }' : 'a comma or ]'),
    'end': 'nothing more',
  };
  const mistake = () => {
    const expected = expectations[state];
    return new JsonMistake(text, offset, typeof expected === 'string' ? expected : expected());
  };
  // Beyond some depth nobody sees the indent any more, but it would still cost its square in memory.
  const newLine = () => pieces.push(['', `\n${'  '.repeat(Math.min(open.length, 100))}`]);
  const valueEnds = () => { state = open.length ? 'more' : 'end'; };
  const takesValue = () => state === 'value' || state === 'value or end';

  for (;;) {
    JSON_SPACE.lastIndex = offset;
    JSON_SPACE.test(text);
    offset = JSON_SPACE.lastIndex;
    if (offset === text.length) {
      if (state === 'end') return pieces;
      throw mistake();
    }
    JSON_TOKEN.lastIndex = offset;
    const match = JSON_TOKEN.exec(text);
    if (!match) throw mistake();
    const token = match[0];

    if (match.groups.string && (state === 'key' || state === 'key or end')) {
      newLine();
      pieces.push(['key', token]);
      state = 'colon';
    } else if (!match.groups.mark && takesValue()) {
      if (open.at(-1) === '[') newLine();
      pieces.push([match.groups.string ? 'string' : match.groups.number ? 'number' : 'word', token]);
      valueEnds();
    } else if ((token === '{' || token === '[') && takesValue()) {
      if (open.at(-1) === '[') newLine();
      open.push(token);
      pieces.push(['mark', token]);
      state = token === '{' ? 'key or end' : 'value or end';
    } else if (token === ':' && state === 'colon') {
      pieces.push(['mark', ':'], ['', ' ']);
      state = 'value';
    } else if (token === ',' && state === 'more') {
      pieces.push(['mark', ',']);
      state = open.at(-1) === '{' ? 'key' : 'value';
    } else if (
      (token === '}' && open.at(-1) === '{' && (state === 'more' || state === 'key or end')) ||
      (token === ']' && open.at(-1) === '[' && (state === 'more' || state === 'value or end'))
    ) {
      const empty = state !== 'more';
      open.pop();
      if (!empty) newLine();
      pieces.push(['mark', token]);
      valueEnds();
    } else {
      throw mistake();
    }
    offset += token.length;
  }
}

const joined = (pieces) => pieces.map(([, text]) => text).join('');

/** The variables to send, nothing where the text is blank; throws where it is not one JSON object. */
function readVariables(text) {
  if (!text.trim()) return undefined;
  prettyJson(text);
  const start = text.search(/\S/);
  if (text[start] !== '{') throw new JsonMistake(text, start, 'an object in braces, one key for each variable');
  return JSON.parse(text);
}
