// The blocks of a Markdown text, and those of a text that has grown, for which only its end is read again.
import { Lexer } from "marked";
import type { Token } from "marked";

const kOptions = { gfm: true, breaks: true }; // a line break of the model's is meant as one

export const lex = (text: string): Token[] => new Lexer(kOptions).lex(text);

/// blocks: of a beginning of `text`. More text can change the last block that is no empty space, and join it to the
/// one before ("> a", "*": a list, which "**" turns into the quote's second line); no others, but for a definition of a
/// link, which may change any.
export function lexGrown(blocks: Token[], text: string): Token[] {
  const isContent = ({ type }: Token) => type !== "space";
  const last = blocks.findLastIndex(isContent);
  const kept = blocks.slice(0, Math.max(0, blocks.slice(0, Math.max(0, last)).findLastIndex(isContent)));
  const source = kept.map(({ raw }) => raw).join("");
  if (!text.startsWith(source)) return lex(text); // it had other line breaks
  const end = lex(text.slice(source.length));
  return [...kept, ...end].some(({ type }) => type === "def") ? lex(text) : [...kept, ...end];
}
