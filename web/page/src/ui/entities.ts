// Character references of Markdown text (https://spec.commonmark.org/0.31.2/#entity-and-numeric-character-references):
// the numeric ones, and the names that models write. Others stay as they are.
const kNamed: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\u00a0",
  copy: "©",
  reg: "®",
  hellip: "…",
  mdash: "—",
  ndash: "–",
  times: "×",
  deg: "°",
  rarr: "→",
  larr: "←",
  euro: "€",
};

function decode(match: string, name: string): string {
  if (!name.startsWith("#")) return kNamed[name] ?? match;
  const code = /^#x/i.test(name) ? parseInt(name.slice(2), 16) : parseInt(name.slice(1), 10);
  const valid = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return valid ? String.fromCodePoint(code) : "\ufffd";
}

export function decodeEntities(text: string): string {
  return text.replace(/&(#x[0-9a-f]{1,6}|#\d{1,7}|[a-z]{2,8});/gi, decode);
}
