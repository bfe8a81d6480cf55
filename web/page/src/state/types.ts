// What the page keeps: conversations and settings, as they lie in the browser's storage.

export interface AnswerStats {
  promptTokens: number;
  tokens: number;
  tokensPerSecond: number;
  firstTokenMs: number;
}

export interface ChatMessage {
  id: string;
  role: "user" | "assistant";
  text: string;
  model?: string; // that answered
  stats?: AnswerStats;
  note?: string; // why the answer ended early, a sentence
  error?: string; // what went wrong instead
}

export interface Conversation {
  id: string;
  title: string;
  updated: number; // Date.now()
  messages: ChatMessage[];
}

export type Theme = "system" | "light" | "dark";
export type DeviceWish = "auto" | "gpu" | "cpu";

export interface Settings {
  theme: Theme;
  system: string; // the system prompt
  temperature: number;
  topP: number;
  topK: number; // 0: off
  minP: number;
  repetitionPenalty: number; // 1: off
  maxTokens: number; // 0: as many as fit
  seed: number; // 0: another one each time
  device: DeviceWish;
  context: number; // 0: the package's choice
}
