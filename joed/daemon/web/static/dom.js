// Elements from plain descriptions, and the least change that makes the page show them.
// Texts only ever become text nodes: nothing here, or anywhere on this page, reads a text as markup.

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "g", "path", "line", "rect", "circle", "text", "title"]);

/** Describe an element; `key` in its attributes keeps it the same one when others come and go. */
export function h(tag, attrs, ...kids) {
  return { tag, attrs: attrs ?? {}, kids };
}

/** Make the children of `parent` what `wanted` describes. */
export function patch(parent, wanted) {
  const kids = wanted.flat(Infinity).filter((kid) => kid !== null && kid !== undefined && kid !== false && kid !== "");
  const keyed = new Map();
  for (const node of parent.childNodes) if (node.joedKey !== undefined) keyed.set(node.joedKey, node);
  let at = parent.firstChild;
  for (const kid of kids) {
    const node = typeof kid === "object" ? element(kid, at, keyed, parent) : text(String(kid), at);
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function text(words, at) {
  if (at?.nodeType !== Node.TEXT_NODE) return document.createTextNode(words);
  if (at.data !== words) at.data = words;
  return at;
}

function element(kid, at, keyed, parent) {
  const { key, ...attrs } = kid.attrs;
  let node = key === undefined ? at : keyed.get(key);
  const fits = node?.nodeType === Node.ELEMENT_NODE && node.localName === kid.tag && node.joedKey === key;
  if (!fits) {
    const drawn = DRAWN.has(kid.tag) && (kid.tag !== "title" || parent.namespaceURI === SVG);
    node = drawn ? document.createElementNS(SVG, kid.tag) : document.createElement(kid.tag);
    node.joedKey = key;
  }
  dress(node, attrs);
  patch(node, kid.kids);
  return node;
}

function dress(node, attrs) {
  const worn = node.joedAttrs ?? {};
  for (const name of Object.keys(worn)) if (!(name in attrs) && name !== "onclick") node.removeAttribute(name);
  for (const [name, value] of Object.entries(attrs)) {
    if (name === "onclick") node.onclick = value;
    else if (value === null || value === undefined || value === false) node.removeAttribute(name);
    else if (worn[name] !== value) node.setAttribute(name, String(value));
  }
  node.joedAttrs = attrs;
}
