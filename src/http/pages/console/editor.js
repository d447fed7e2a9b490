// The query editor: a textarea, so that the system's own editing, undo and assistive technology work, over the same
// text in colours.

// Above this, colouring at each key would be felt.
const COLOURED_AT_MOST = 60_000;

const TAB = '  ';

function createEditor(frame) {
  const area = frame.querySelector('textarea');
  const colours = frame.querySelector('.colours');
  const gutter = frame.querySelector('.gutter');
  let painting = false;
  let lineCount = 0;

  function paint() {
    painting = false;
    const text = area.value;
    // The last line needs something on it to have a height.
    colours.replaceChildren(
      painted(text.length > COLOURED_AT_MOST ? [['', text]] : colouredDocument(text)),
      '\n ',
    );
    const lines = text.split('\n').length;
    if (lines !== lineCount) {
      lineCount = lines;
      gutter.textContent = Array.from({ length: lines }, (_, index) => index + 1).join('\n');
    }
  }

  function changed() {
    if (!painting) {
      painting = true;
      requestAnimationFrame(paint);
    }
  }

  /** Scrolls to the cursor, which a browser does at typing but not where a script has moved it. */
  function reveal() {
    paint();
    let before = area.selectionEnd;
    const walker = document.createTreeWalker(colours, NodeFilter.SHOW_TEXT);
    while (walker.nextNode() && before > walker.currentNode.length) before -= walker.currentNode.length;
    const range = document.createRange();
    range.setStart(walker.currentNode, before);
    const place = range.getBoundingClientRect();
    const seen = frame.getBoundingClientRect();
    const left = seen.left + gutter.offsetWidth;
    if (place.top < seen.top) frame.scrollTop -= seen.top - place.top + place.height;
    if (place.bottom > seen.bottom) frame.scrollTop += place.bottom - seen.bottom + place.height;
    if (place.left < left) frame.scrollLeft -= left - place.left + place.height;
    if (place.right > seen.right) frame.scrollLeft += place.right - seen.right + place.height;
  }

  /** Puts text in place of a range in a way that undo knows of. */
  function put(text, start, end, caret = start + text.length) {
    area.focus();
    area.setSelectionRange(start, end);
    const done = text ? document.execCommand('insertText', false, text) : document.execCommand('delete');
    if (!done) {
      area.setRangeText(text, start, end, 'end');
      area.dispatchEvent(new Event('input', { bubbles: true }));
    }
    area.setSelectionRange(caret, caret);
    reveal();
  }

  const lineStart = (at) => area.value.lastIndexOf('\n', at - 1) + 1;

  function indent(outwards) {
    const { selectionStart: start, selectionEnd: end, value } = area;
    if (start === end && !outwards) {
      put(TAB, start, end);
      return;
    }
    const from = lineStart(start);
    const block = value.slice(from, end);
    const moved = outwards ? block.replace(/^ {1,2}|^\t/gm, '') : block.replace(/^(?=.)/gm, TAB);
    if (moved === block) return;
    const firstMoved = outwards ? block.match(/^(?: {1,2}|\t)?/)[0].length * -1 : TAB.length;
    put(moved, from, end);
    area.setSelectionRange(Math.max(from, start + firstMoved), from + moved.length);
  }

  function breakLine() {
    const { selectionStart: start, selectionEnd: end, value } = area;
    const margin = value.slice(lineStart(start), start).match(/^\s*/)[0];
    const opens = /[{([]\s*$/.test(value.slice(0, start));
    const closes = opens && /^\s*[})\]]/.test(value.slice(end));
    const inner = `\n${margin}${opens ? TAB : ''}`;
    put(closes ? `${inner}\n${margin}` : inner, start, end, start + inner.length);
  }

  function closeBlock() {
    const { selectionStart: start, selectionEnd: end, value } = area;
    const from = lineStart(start);
    const margin = value.slice(from, start);
    if (start !== end || !/^\s+$/.test(margin)) return false;
    put(`${margin.slice(TAB.length)}}`, from, end);
    return true;
  }

  // Tab indents, which would keep those who move by keyboard in here for good; after Escape it moves on.
  let leaving = false;
  area.addEventListener('keydown', (event) => {
    if (event.isComposing) return;
    const alone = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.key === 'Tab' && alone && !leaving) {
      event.preventDefault();
      indent(event.shiftKey);
    } else if (event.key === 'Enter' && alone && !event.shiftKey) {
      event.preventDefault();
      breakLine();
    } else if (event.key === '}' && closeBlock()) {
      // With whatever other keys: on many keyboards a brace needs some.
      event.preventDefault();
    }
    if (event.key !== 'Shift') leaving = event.key === 'Escape';
  });
  area.addEventListener('blur', () => { leaving = false; });
  area.addEventListener('input', changed);
  // A click beside the last line belongs to the text as well.
  frame.addEventListener('pointerdown', (event) => {
    if (event.target === frame) setTimeout(() => area.focus());
  });

  paint();

  return {
    area,
    get text() {
      return area.value;
    },
    /** All of it anew; undo brings back what was there. */
    replace(text) {
      if (text === area.value) return;
      put(text, 0, area.value.length, 0);
    },
    /** At the start, where there is nothing to undo and nothing should take the focus. */
    fill(text) {
      area.value = text;
      paint();
    },
    insert: put,
    /** Puts the cursor on a line and column as GraphQL counts them, from one. */
    goTo(line, column) {
      const lines = area.value.split('\n');
      const at = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0) + column - 1;
      area.focus();
      area.setSelectionRange(at, at);
      reveal();
    },
  };
}
