// Models that reason first write their thoughts between <think> and </think>, in front of the answer.

const kOpen = /^\s*<think>/;
const kClose = "</think>";

export interface Split {
  thoughts: string; // "" for none
  answer: string;
  thinking: boolean; // the thoughts have no end yet
}

export function splitThoughts(text: string): Split {
  const open = kOpen.exec(text);
  if (open === null) return { thoughts: "", answer: text, thinking: false };
  const close = text.indexOf(kClose, open[0].length);
  if (close < 0) return { thoughts: text.slice(open[0].length), answer: "", thinking: true };
  const thoughts = text.slice(open[0].length, close).trim();
  return { thoughts, answer: text.slice(close + kClose.length).trimStart(), thinking: false };
}
