// Building the page. Whatever comes from outside becomes text here, never markup.

const byId = (id) => document.getElementById(id);

/** An element with properties, and children that are elements or text. */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Coloured text out of `[kind, text]` pieces; a piece without a kind stays as it is. */
function painted(pieces) {
  const all = document.createDocumentFragment();
  for (const [kind, text] of pieces) {
    all.append(kind ? element('span', { className: kind }, text) : text);
  }
  return all;
}

let toastEnds;

/** Says something in passing. */
function toast(text) {
  clearTimeout(toastEnds);
  byId('toast').textContent = text;
  toastEnds = setTimeout(() => { byId('toast').textContent = ''; }, 4000);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No clipboard outside a secure context, or where it is not allowed.
    return false;
  }
}
