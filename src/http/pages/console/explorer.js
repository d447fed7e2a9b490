// The schema to browse: read once by introspection, then pages of types, a search, and fields put into the editor.

// `[T!]!` is three wrappings. One more than that is asked for; a whole ladder would come near the limit on depth.
const INTROSPECTION = `query IntrospectionQuery {
  __schema {
    queryType { name }
    mutationType { name }
    subscriptionType { name }
    types {
      kind name description specifiedByURL isOneOf
      fields(includeDeprecated: true) {
        name description isDeprecated deprecationReason
        args(includeDeprecated: true) { ...Input }
        type { ...Type }
      }
      inputFields(includeDeprecated: true) { ...Input }
      interfaces { name }
      enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
      possibleTypes { name }
    }
  }
}
fragment Input on __InputValue {
  name description defaultValue isDeprecated deprecationReason
  type { ...Type }
}
fragment Type on __Type {
  kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } }
}`;

const KINDS = [
  ['OBJECT', 'Objects'],
  ['INTERFACE', 'Interfaces'],
  ['UNION', 'Unions'],
  ['INPUT_OBJECT', 'Inputs'],
  ['ENUM', 'Enums'],
  ['SCALAR', 'Scalars'],
];
const KIND_NAMES = {
  OBJECT: 'Object', INTERFACE: 'Interface', UNION: 'Union', INPUT_OBJECT: 'Input', ENUM: 'Enum', SCALAR: 'Scalar',
};
const FOUND_AT_MOST = 80;

const namedType = (type) => (type.ofType ? namedType(type.ofType) : type.name);
const isRequired = (input) => input.type.kind === 'NON_NULL' && input.defaultValue === null;

/** The schema as it was introspected, with what the pages ask of it. */
class Schema {
  constructor({ queryType, mutationType, subscriptionType, types }) {
    this.types = new Map(
      types.filter(({ name }) => !name.startsWith('__')).map((type) => [type.name, type]),
    );
    this.roots = [['query', queryType], ['mutation', mutationType], ['subscription', subscriptionType]]
      .filter(([, type]) => type)
      .map(([operation, { name }]) => ({ operation, name }));
  }

  operationOf(typeName) {
    return this.roots.find(({ name }) => name === typeName)?.operation;
  }

  /** Types first, then fields, those that begin with the words before those that hold them. */
  search(words) {
    const sought = words.toLowerCase();
    const found = [];
    const look = (name, entry) => {
      const at = name.toLowerCase().indexOf(sought);
      if (at >= 0) found.push({ ...entry, rank: (at === 0 ? 0 : 2) + (entry.member ? 1 : 0) });
    };
    for (const type of this.types.values()) {
      look(type.name, { type });
      for (const member of [...(type.fields ?? []), ...(type.inputFields ?? []), ...(type.enumValues ?? [])]) {
        look(member.name, { type, member });
      }
    }
    return found.sort((one, other) => one.rank - other.rank);
  }

  /** A first value for an argument that must be given. */
  blank(type) {
    if (type.kind === 'NON_NULL') return this.blank(type.ofType);
    if (type.kind === 'LIST') return '[]';
    const named = this.types.get(type.name);
    if (named?.kind === 'ENUM') return named.enumValues[0]?.name ?? 'null';
    if (named?.kind === 'INPUT_OBJECT') {
      const required = named.inputFields.filter(isRequired);
      // An input may hold itself; one level is enough to start with.
      const inner = required.map((field) => {
        const nested = this.types.get(namedType(field.type))?.kind === 'INPUT_OBJECT';
        return `${field.name}: ${nested ? '{}' : this.blank(field.type)}`;
      });
      return inner.length ? `{ ${inner.join(', ')} }` : '{}';
    }
    return { Int: '0', BigInt: '0', Float: '0', Boolean: 'false' }[type.name] ?? '""';
  }

  /** What to select of a type so that the query runs as it is inserted. */
  selection(typeName, depth = 0) {
    const type = this.types.get(typeName);
    if (type?.kind === 'UNION') return ' { __typename }';
    if (!type?.fields) return '';
    const free = type.fields.filter(({ args, isDeprecated }) => !isDeprecated && !args.some(isRequired));
    const isLeaf = (field) => !this.types.get(namedType(field.type))?.fields && !this.isUnion(field);
    const nodes = free.find(({ name }) => name === 'nodes');
    if (nodes && depth < 2) return ` { nodes${this.selection(namedType(nodes.type), depth + 1)} }`;
    const wanted = ['id', 'title', 'name', 'code', 'message']
      .map((name) => free.find((field) => field.name === name && isLeaf(field)))
      .filter(Boolean);
    const first = wanted.length ? wanted : free.filter(isLeaf).slice(0, 1);
    if (first.length) return ` { ${first.map(({ name }) => name).join(' ')} }`;
    const inner = depth < 2 ? free[0] : undefined;
    return inner
      ? ` { ${inner.name}${this.selection(namedType(inner.type), depth + 1)} }`
      : ' { __typename }';
  }

  isUnion(field) {
    return this.types.get(namedType(field.type))?.kind === 'UNION';
  }

  snippet(field) {
    const required = field.args.filter(isRequired).map((arg) => `${arg.name}: ${this.blank(arg.type)}`);
    return `${field.name}${required.length ? `(${required.join(', ')})` : ''}${this.selection(namedType(field.type))}`;
  }
}

/** How deep in selections the end of a text is. */
const depthOf = (text) =>
  tokens(text).reduce((depth, token) => Math.max(0, depth + (token.text === '{') - (token.text === '}')), 0);

/** Where the selection of the last operation of a type ends, before its closing brace. */
function endOfSelection(text, type) {
  const operation = operationsOf(text).findLast((one) => one.type === type);
  if (!operation) return null;
  let depth = 0;
  let parentheses = 0;
  for (const token of tokens(text.slice(operation.start))) {
    // A default value has braces as well.
    parentheses += (token.text === '(') - (token.text === ')');
    if (parentheses > 0) continue;
    depth += (token.text === '{') - (token.text === '}');
    if (depth === 0 && token.text === '}') return operation.start + token.start;
  }
  return null;
}

/**
 * Puts a field on a line of its own at the cursor. A field of a root belongs into the outermost selection of an
 * operation of its type: where the cursor is not in one, the last one is taken, or a new one made.
 */
function insertField(editor, snippet, operation) {
  const { area, text } = editor;
  const here = text.slice(0, area.selectionEnd);
  const fits = !operation || (depthOf(here) === 1 && operationsOf(here).at(-1)?.type === operation);
  const elsewhere = fits ? null : endOfSelection(text, operation);
  if (!fits && elsewhere === null) {
    const last = text.trimEnd().length;
    const head = operation === 'query' ? '' : `${operation} `;
    editor.insert(`${last ? '\n\n' : ''}${prettyDocument(`${head}{ ${snippet} }`)}`, last, text.length);
    return;
  }

  // Never in the middle of a name.
  const cursor = elsewhere ?? area.selectionEnd + text.slice(area.selectionEnd).match(/^\w*/)[0].length;
  const depth = Math.max(1, depthOf(text.slice(0, cursor)));
  const start = text.slice(0, cursor).trimEnd().length;
  const end = cursor + text.slice(cursor).match(/^[ \t]*/)[0].length;
  const rest = text[end] ?? '\n';
  const lines = prettyDocument(`{ ${snippet} }`).trimEnd().split('\n').slice(1, -1);
  const inserted = `\n${lines.map((line) => TAB.repeat(depth) + line.slice(TAB.length)).join('\n')}`;
  const after = rest === '\n' ? '' : `\n${TAB.repeat(rest === '}' ? depth - 1 : depth)}`;
  editor.insert(inserted + after, start, end, start + inserted.length);
}

function createExplorer({ editor, onInsert }) {
  const page = byId('page');
  const status = byId('schema-status');
  const title = byId('schema-title');
  const find = byId('find');
  let schema = null;
  let loading = null;
  // Visited pages: a type's name, or null for the list of all.
  let visited = [null];
  let here = 0;

  async function read() {
    const response = await fetch('/graphql', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Accept': ACCEPTED },
      // The schema is the same for everybody: no token, so that a stale one does not hide it.
      credentials: 'omit',
      body: JSON.stringify({ query: INTROSPECTION, operationName: 'IntrospectionQuery' }),
    });
    const answer = await response.json().catch(() => null);
    if (answer?.data?.__schema) return new Schema(answer.data.__schema);
    const refusal = answer?.errors?.[0]?.message ?? `HTTP ${response.status}`;
    const code = answer?.errors?.[0]?.extensions?.code;
    const off = answer && (!code || /VALIDATION|TRUSTED|FORBIDDEN|BAD_REQUEST/.test(code));
    throw new Error(
      off
        ? 'Introspection is switched off here, so there is no schema to browse. Queries run all the same; ' +
          `the command “empulse schema” prints the schema. (${refusal})`
        : `The schema could not be read: ${refusal}`,
    );
  }

  async function load() {
    status.textContent = 'Reading the schema…';
    page.replaceChildren();
    try {
      schema = await read();
      status.textContent = '';
      show();
    } catch (error) {
      schema = null;
      loading = null;
      status.textContent = error instanceof TypeError ? 'The schema could not be read: no answer.' : error.message;
    }
  }

  // Pages

  function typeLink(name) {
    const known = schema.types.has(name);
    return known
      ? element('button', { type: 'button', className: 'plain', onclick: () => open(name) }, name)
      : name;
  }

  function typeText(type) {
    if (type.kind === 'NON_NULL') return [...typeText(type.ofType), '!'];
    if (type.kind === 'LIST') return ['[', ...typeText(type.ofType), ']'];
    return [typeLink(type.name)];
  }

  function inputText(input) {
    const standard = input.defaultValue === null ? [] : [` = ${input.defaultValue}`];
    return [element('span', { className: 'argument' }, `${input.name}: `), ...typeText(input.type), ...standard];
  }

  function described({ description, isDeprecated, deprecationReason }) {
    return [
      description ? element('p', { className: 'described' }, description) : null,
      isDeprecated
        ? element('p', { className: 'deprecated' }, `Deprecated. ${deprecationReason ?? ''}`)
        : null,
    ];
  }

  function fieldEntry(type, field) {
    const signature = element('div', { className: 'signature' }, element('span', { className: 'name' }, field.name));
    if (field.args.length) {
      signature.append('(');
      for (const arg of field.args) {
        const line = element('span', { className: 'indent' }, ...inputText(arg));
        if (arg.description) line.title = arg.description;
        signature.append(line);
      }
      signature.append(')');
    }
    signature.append(': ', ...typeText(field.type));
    const args = field.args.filter((arg) => arg.description || arg.isDeprecated);
    const insert = element(
      'button',
      {
        type: 'button',
        className: 'insert',
        'aria-label': `Insert ${field.name}`,
        onclick: () => {
          insertField(editor, schema.snippet(field), schema.operationOf(type.name));
          onInsert(field.name);
        },
      },
      'Insert',
    );
    return element(
      'li',
      { className: field.isDeprecated ? 'old' : '' },
      element('div', { className: 'entry' }, signature, insert),
      ...described(field),
      ...args.flatMap((arg) => described({ ...arg, description: arg.description && `${arg.name}: ${arg.description}` })),
    );
  }

  function inputEntry(field) {
    return element(
      'li',
      { className: field.isDeprecated ? 'old' : '' },
      element('div', { className: 'signature' }, element('span', { className: 'name' }, field.name), ': ', ...typeText(field.type),
        field.defaultValue === null ? null : ` = ${field.defaultValue}`),
      ...described(field),
    );
  }

  function valueEntry(value) {
    return element(
      'li',
      { className: value.isDeprecated ? 'old' : '' },
      element('div', { className: 'signature' }, element('span', { className: 'name' }, value.name)),
      ...described(value),
    );
  }

  function section(heading, list, className = '') {
    if (!list.length) return [];
    return [element('h3', {}, heading), element('ul', { className }, ...list)];
  }

  const typeList = (heading, names) =>
    section(heading, names.map((name) => element('li', {}, typeLink(name))), 'types');

  function facts(type) {
    const all = [KIND_NAMES[type.kind] ?? type.kind];
    if (type.isOneOf) all.push(': exactly one of its fields is given');
    const line = element('p', { className: 'facts' }, ...all);
    if (type.specifiedByURL) {
      line.append(', specified by ');
      let address = null;
      try {
        address = new URL(type.specifiedByURL);
      } catch {
        // Shown as text then.
      }
      line.append(
        address?.protocol === 'https:'
          ? element('a', { href: address.href, rel: 'noreferrer noopener', target: '_blank' }, address.host + address.pathname)
          : type.specifiedByURL,
      );
    }
    return line;
  }

  function typePage(type) {
    return [
      facts(type),
      type.description ? element('p', { className: 'about' }, type.description) : null,
      ...typeList('Implements', (type.interfaces ?? []).map(({ name }) => name)),
      ...section('Fields', (type.fields ?? []).map((field) => fieldEntry(type, field))),
      ...section('Input fields', (type.inputFields ?? []).map(inputEntry)),
      ...section('Values', (type.enumValues ?? []).map(valueEntry)),
      ...typeList(type.kind === 'UNION' ? 'One of' : 'Implemented by', (type.possibleTypes ?? []).map(({ name }) => name)),
      ...typeList('Used by', usersOf(type.name)),
    ];
  }

  function usersOf(name) {
    return [...schema.types.values()]
      .filter(({ fields, inputFields }) =>
        [...(fields ?? []), ...(inputFields ?? [])].some(
          (field) => namedType(field.type) === name || field.args?.some((arg) => namedType(arg.type) === name),
        ))
      .map((type) => type.name)
      .sort();
  }

  function listPage() {
    const roots = new Set(schema.roots.map(({ name }) => name));
    const rest = [...schema.types.values()].filter(({ name }) => !roots.has(name));
    return [
      ...typeList('Start here', [...roots]),
      ...KINDS.flatMap(([kind, heading]) =>
        typeList(heading, rest.filter((type) => type.kind === kind).map(({ name }) => name).sort())),
    ];
  }

  function foundPage(words) {
    const found = schema.search(words);
    if (!found.length) return [element('p', { className: 'facts' }, `Nothing is called “${words}”.`)];
    const list = found.slice(0, FOUND_AT_MOST).map(({ type, member }) => {
      const name = member ? `${type.name}.${member.name}` : type.name;
      return element('li', {}, element('button', { type: 'button', className: 'plain', onclick: () => open(type.name, member?.name) }, name));
    });
    const heading = found.length > FOUND_AT_MOST ? `Found: the first ${FOUND_AT_MOST} of ${found.length}` : `Found: ${found.length}`;
    return section(heading, list, 'types');
  }

  function show(focusOn) {
    if (!schema) return;
    const words = find.value.trim();
    const type = schema.types.get(visited[here]);
    title.textContent = !words && type ? type.name : 'Schema';
    const parts = words ? foundPage(words) : type ? typePage(type) : listPage();
    page.replaceChildren(...parts.filter((part) => part !== null));
    page.scrollTop = 0;
    byId('back').disabled = !words && here === 0;
    byId('forward').disabled = here === visited.length - 1;
    if (focusOn) {
      const name = [...page.querySelectorAll('.signature .name')].find(({ textContent }) => textContent === focusOn);
      name?.closest('li').scrollIntoView({ block: 'center' });
    }
  }

  function open(name, member) {
    find.value = '';
    if (visited[here] !== name) {
      visited = [...visited.slice(0, here + 1), name];
      here += 1;
    }
    show(member);
    // What was clicked is gone from the page; the heading tells where one is now.
    title.focus();
  }

  function move(steps) {
    if (find.value.trim() && steps < 0) find.value = '';
    else here += steps;
    show();
    if (document.activeElement === document.body) title.focus();
  }

  byId('back').addEventListener('click', () => move(-1));
  byId('forward').addEventListener('click', () => move(1));
  find.addEventListener('input', () => show());
  byId('reload-schema').addEventListener('click', () => { loading = load(); });

  return {
    /** Reads the schema when it is first looked at, and again after a failure. */
    wake() {
      loading ??= load();
    },
  };
}
