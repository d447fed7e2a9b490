// GraphQL as text: tokens to colour, the operations of a document, and a layout that can't change its meaning.

const TOKEN = new RegExp(
  [
    /(?<space>[\s,\ufeff]+)/,
    /(?<comment>#[^\n\r]*)/,
    /(?<block>"""(?:\\"""|(?!""")[^])*(?:"""|$))/,
    /(?<string>"(?:[^"\\\n\r]|\\.)*"?)/,
    /(?<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/,
    /(?<variable>\$\w*)/,
    /(?<directive>@\w*)/,
    /(?<spread>\.\.\.)/,
    /(?<name>[_A-Za-z]\w*)/,
    /(?<mark>[{}()[\]:=!|&])/,
    /(?<other>[^])/,
  ].map((part) => part.source).join('|'),
  'gu',
);

function tokens(text) {
  const all = [];
  for (const match of text.matchAll(TOKEN)) {
    const kind = Object.keys(match.groups).find((name) => match.groups[name] !== undefined);
    all.push({ kind, text: match[0], start: match.index });
  }
  return all;
}

const OPERATIONS = new Set(['query', 'mutation', 'subscription']);
const DEFINITIONS = new Set([...OPERATIONS, 'fragment']);
const OPENERS = { '{': '}', '(': ')', '[': ']' };
const CLOSERS = new Set(Object.values(OPENERS));

/** The document as coloured pieces, every character of it kept. */
function colouredDocument(text) {
  const all = tokens(text);
  let depth = 0;
  let before = null;
  return all.map((token, index) => {
    let { kind } = token;
    if (kind === 'space') return ['', token.text];
    if (OPENERS[token.text] && kind === 'mark') depth += 1;
    if (CLOSERS.has(token.text) && kind === 'mark') depth -= 1;
    if (kind === 'name') {
      const next = all.slice(index + 1, index + 3).find((other) => other.kind !== 'space');
      if (depth === 0 && DEFINITIONS.has(token.text)) kind = 'keyword';
      else if (token.text === 'on' && (before?.text === '...' || depth === 0)) kind = 'keyword';
      else if (next?.text === ':') kind = 'argument';
      else if (/^(true|false|null)$/.test(token.text)) kind = 'word';
      else if (/^[A-Z]/.test(token.text)) kind = 'type';
      else kind = '';
    }
    before = token;
    return [kind, token.text];
  });
}

/** What can be run: `{ type, name, start }` for each operation, in the order of the document. */
function operationsOf(text) {
  const found = [];
  let depth = 0;
  let inDefinition = false;
  const all = tokens(text).filter(({ kind }) => kind !== 'space' && kind !== 'comment');
  all.forEach((token, index) => {
    if (depth === 0 && !inDefinition) {
      if (token.kind === 'name') {
        inDefinition = true;
        if (OPERATIONS.has(token.text)) {
          const next = all[index + 1];
          found.push({ type: token.text, name: next?.kind === 'name' ? next.text : null, start: token.start });
        }
      } else if (token.text === '{') {
        found.push({ type: 'query', name: null, start: token.start });
      }
    }
    if (token.kind !== 'mark') return;
    if (OPENERS[token.text]) depth += 1;
    if (CLOSERS.has(token.text)) {
      depth = Math.max(0, depth - 1);
      if (depth === 0 && token.text === '}') inDefinition = false;
    }
  });
  return found;
}

class NotUnderstood extends Error {}

const WIDTH = 80;
const INDENT = '  ';

/**
 * Reads an executable document and writes it anew. A value, an argument or a directive is a string or a group; a group
 * (`( … )`, `[ … ]`, `{ … }` with items) is written on one line where it fits, else one item a line.
 */
class Layout {
  constructor(text) {
    this.tokens = [];
    this.remarks = [];
    this.lines = [];
    this.at = 0;
    let remarks = [];
    let lineBroken = true;
    for (const token of tokens(text)) {
      if (token.kind === 'space') {
        lineBroken ||= token.text.includes('\n');
      } else if (token.kind === 'comment') {
        const last = this.tokens.at(-1);
        if (!lineBroken && last) last.remark = token.text.trimEnd();
        else remarks.push(token.text.trimEnd());
      } else {
        this.tokens.push({ ...token, remarks, remark: '' });
        remarks = [];
        lineBroken = false;
      }
    }
    this.closing = remarks;
  }

  static of(text) {
    const layout = new Layout(text);
    layout.document();
    return layout.lines.join('\n') + '\n';
  }

  // Reading

  get next() {
    return this.tokens[this.at] ?? { kind: 'end', text: '', remarks: [], remark: '' };
  }

  take(...kinds) {
    const token = this.next;
    if (!kinds.includes(token.kind)) throw new NotUnderstood();
    this.at += 1;
    return token.text;
  }

  mark(text) {
    if (this.next.text !== text) throw new NotUnderstood();
    return this.take('mark');
  }

  is(text) {
    return this.next.kind === 'mark' && this.next.text === text;
  }

  isName(text) {
    return this.next.kind === 'name' && this.next.text === text;
  }

  group(open, item) {
    const items = [];
    this.mark(open);
    while (!this.is(OPENERS[open])) {
      const { remarks } = this.next;
      const parts = item();
      items.push({ remarks, parts, remark: this.tokens[this.at - 1].remark });
    }
    this.mark(OPENERS[open]);
    return { open, close: OPENERS[open], items };
  }

  value() {
    if (this.is('[')) return this.group('[', () => [this.value()]);
    if (this.is('{')) return this.group('{', () => this.named());
    return this.take('variable', 'number', 'string', 'block', 'name');
  }

  named() {
    return [`${this.take('name')}${this.mark(':')} `, this.value()];
  }

  type() {
    let written;
    if (this.is('[')) {
      this.mark('[');
      written = `[${this.type()}`;
      written += this.mark(']');
    } else {
      written = this.take('name');
    }
    return this.is('!') ? written + this.mark('!') : written;
  }

  args() {
    return this.is('(') ? [this.group('(', () => this.named())] : [];
  }

  directives() {
    const parts = [];
    while (this.next.kind === 'directive') parts.push(` ${this.take('directive')}`, ...this.args());
    return parts;
  }

  variable() {
    const parts = [`${this.take('variable')}${this.mark(':')} ${this.type()}`];
    if (this.is('=')) {
      this.mark('=');
      parts.push(' = ', this.value());
    }
    return [...parts, ...this.directives()];
  }

  // Writing

  remarksAt(depth, remarks) {
    for (const remark of remarks) this.lines.push(INDENT.repeat(depth) + remark);
  }

  /** One entry: a head, and a selection where one follows. */
  entry(depth, head) {
    const { remarks } = this.next;
    this.remarksAt(depth, remarks);
    const parts = head();
    const opens = this.is('{');
    if (opens) parts.push(parts.length ? ' {' : '{');
    const { remark } = this.tokens[opens ? this.at : this.at - 1];
    const line = parts.reduce((before, part) => before + written(part, depth, before), INDENT.repeat(depth));
    this.lines.push(remark ? `${line} ${remark}` : line);
    if (opens) this.selection(depth + 1);
  }

  selection(depth) {
    this.mark('{');
    if (this.is('}')) throw new NotUnderstood();
    while (!this.is('}')) this.entry(depth, () => this.selected());
    const { remarks, remark } = this.next;
    this.remarksAt(depth, remarks);
    this.mark('}');
    this.lines.push(`${INDENT.repeat(depth - 1)}}${remark && ` ${remark}`}`);
  }

  selected() {
    if (this.next.kind !== 'spread') {
      let name = this.take('name');
      if (this.is(':')) name += `${this.mark(':')} ${this.take('name')}`;
      return [name, ...this.args(), ...this.directives()];
    }
    let spread = this.take('spread');
    if (this.isName('on')) spread += ` ${this.take('name')} ${this.take('name')}`;
    else if (this.next.kind === 'name') spread += this.take('name');
    return [spread, ...this.directives()];
  }

  definition() {
    if (this.is('{')) return [];
    const keyword = this.take('name');
    if (!DEFINITIONS.has(keyword)) throw new NotUnderstood();
    const parts = [keyword];
    if (keyword === 'fragment') {
      parts.push(` ${this.take('name')}`);
      if (!this.isName('on')) throw new NotUnderstood();
      parts.push(` ${this.take('name')} ${this.take('name')}`);
    } else {
      if (this.next.kind === 'name') parts.push(` ${this.take('name')}`);
      if (this.is('(')) parts.push(this.group('(', () => this.variable()));
    }
    parts.push(...this.directives());
    if (!this.is('{')) throw new NotUnderstood();
    return parts;
  }

  document() {
    while (this.at < this.tokens.length) {
      if (this.lines.length) this.lines.push('');
      this.entry(0, () => this.definition());
    }
    if (this.closing.length && this.lines.length) this.lines.push('');
    this.remarksAt(0, this.closing);
  }
}

function flat(part) {
  if (typeof part === 'string') return part;
  const inner = part.items.map(({ parts }) => parts.map(flat).join('')).join(', ');
  return part.open === '{' && inner ? `{ ${inner} }` : part.open + inner + part.close;
}

const remarked = (part) =>
  typeof part !== 'string' &&
  part.items.some(({ remarks, remark, parts }) => remarks.length || remark || parts.some(remarked));

function written(part, depth, before) {
  if (typeof part === 'string') return part;
  const oneLine = flat(part);
  const column = before.length - before.lastIndexOf('\n') - 1;
  if (!remarked(part) && (column + oneLine.length <= WIDTH || !part.items.length)) return oneLine;
  const margin = INDENT.repeat(depth + 1);
  const lines = part.items.flatMap(({ remarks, parts, remark }) => {
    const line = parts.reduce((start, inner) => start + written(inner, depth + 1, start), margin);
    return [...remarks.map((text) => margin + text), remark ? `${line} ${remark}` : line];
  });
  return [part.open, ...lines, INDENT.repeat(depth) + part.close].join('\n');
}

/** The document laid out anew, or null where it can't be read or something of it would be lost. */
function prettyDocument(text) {
  const substance = (of) =>
    tokens(of)
      .filter(({ kind }) => kind !== 'space')
      .map((token) => token.text.trimEnd())
      .join('\n');
  try {
    const pretty = Layout.of(text);
    return substance(pretty) === substance(text) ? pretty : null;
  } catch (error) {
    // A RangeError is a nesting deeper than the call stack.
    if (error instanceof NotUnderstood || error instanceof RangeError) return null;
    throw error;
  }
}
