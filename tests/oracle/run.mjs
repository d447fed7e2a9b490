// What GraphQL's reference implementation answers to corpus.graphql, what it says of the documents in validation.graphql,
// and how it asks for a schema. `node run.mjs` writes all three down; with --check it only compares, and fails where they differ from what stands written.

import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { buildSchema, execute, getIntrospectionQuery, parse, validate, validateSchema } from 'graphql';

const here = (name) => new URL(name, import.meta.url);
const read = (name) => readFileSync(here(name), 'utf8');

const failing = () => {
  throw new Error('It fails, as it was made to.');
};

// Things without end: what is asked for is made when it is asked for.
const thing = (id, isBad = false) => {
  const unlessBad = () => (isBad ? failing() : 'checked');
  const list = () => [thing('first'), thing('second', true), thing('third')];
  const broken = () => [thing('first'), new Error('It is broken, as it was made to be.'), thing('third')];
  const rows = () => [['a', 'b'], ['c', new Error('It is broken, as it was made to be.')], ['d']];
  return {
    __typename: 'Thing',
    id,
    text: `the ${id}`,
    nothing: null,
    fails: failing,
    surelyFails: failing,
    check: unlessBad,
    surelyCheck: unlessBad,
    thing: () => thing('inner', isBad),
    surelyThing: () => thing('inner', isBad),
    failing,
    surelyFailing: failing,
    list,
    listOfSure: list,
    sureList: list,
    sureListOfSure: list,
    broken,
    brokenOfSure: broken,
    surelyBroken: broken,
    surelyBrokenOfSure: broken,
    failingList: failing,
    surelyFailingList: failing,
    emptyList: [],
    rows,
    rowsOfSure: rows,
    sureRows: rows,
    sureRowsOfSure: rows,
    node: () => thing('node'),
    surelyNode: () => thing('node'),
    found,
    surelyFound: found,
  };
};
const other = () => ({ __typename: 'Other', id: 'other', fails: failing, surelyFails: failing });
const found = () => [thing('first'), other(), thing('third')];

const query = {
  thing: () => thing('outer'),
  surelyThing: () => thing('outer'),
  bad: () => thing('bad', true),
  surelyBad: () => thing('bad', true),
  nothing: null,
  failing,
  surelyFailing: failing,
  things: () => thing('outer').list(),
  surelyThings: () => thing('outer').list(),
  node: () => thing('node'),
  surelyNode: () => thing('node'),
  found,
  surelyFound: found,
};

// How often each mutation ran is part of its answer: once for each name, however often it is asked for.
const mutation = () => {
  let ran = 0;
  const done = () => thing(`done ${(ran += 1)}`);
  return { done, surelyDone: done, failing, surelyFailing: failing };
};

const valid = (schema, document, name) => {
  const errors = validate(schema, document);
  if (errors.length > 0) throw new Error(`${name}: ${errors.join('\n')}`);
  return document;
};

// In the order in which graphql-js has them; paths sorted, as the order of errors means nothing.
const answers = () => {
  const schema = buildSchema(read('schema.graphql'));
  const document = valid(schema, parse(read('corpus.graphql')), 'corpus.graphql');
  const operations = document.definitions.filter(({ kind }) => kind === 'OperationDefinition');
  const answer = ({ name, operation }) => {
    const rootValue = operation === 'mutation' ? mutation() : query;
    const { data, errors = [] } = execute({ schema, document, rootValue, operationName: name.value });
    const paths = errors.map(({ path }) => JSON.stringify(path)).sort();
    return `  ${JSON.stringify(name.value)}: {\n    "data": ${JSON.stringify(data)},\n    "errors": [${paths.join(', ')}]\n  }`;
  };
  return `{\n${operations.map(answer).join(',\n')}\n}\n`;
};

// With every option that there is.
const introspection = () =>
  `${getIntrospectionQuery({
    descriptions: true,
    specifiedByUrl: true,
    directiveIsRepeatable: true,
    schemaDescription: true,
    inputValueDeprecation: true,
    oneOf: true,
  }).trim()}\n`;

const served = buildSchema(read('../../schema.graphql'));

// Of each document that its heading names, what is wrong with it: nothing where it is valid.
const verdicts = () => {
  const [, ...documents] = read('validation.graphql').split(/^### /m);
  const verdict = (document) => {
    const [name] = document.split('\n', 1);
    const errors = validate(served, parse(document.slice(name.length)));
    return `  ${JSON.stringify(name)}: ${JSON.stringify(errors.map(({ message }) => message))}`;
  };
  return `{\n${documents.map(verdict).join(',\n')}\n}\n`;
};

// The reference implementation's own eye on what we serve and on what our clients send.
const checkServed = () => {
  const errors = validateSchema(served);
  if (errors.length > 0) throw new Error(`schema.graphql: ${errors.join('\n')}`);
  for (const name of readdirSync(here('../operations/'))) valid(served, parse(read(`../operations/${name}`)), name);
};

const isCheck = process.argv.includes('--check');
let differs = false;
const written = { 'expected.json': answers(), 'verdicts.json': verdicts(), 'introspection.graphql': introspection() };
for (const [name, text] of Object.entries(written)) {
  if (!isCheck) {
    writeFileSync(here(name), text);
  } else if (read(name) !== text) {
    console.error(`tests/oracle/${name} is not what graphql-js says now; write it anew by \`node tests/oracle/run.mjs\``);
    differs = true;
  }
}
checkServed();
process.exitCode = differs ? 1 : 0;
