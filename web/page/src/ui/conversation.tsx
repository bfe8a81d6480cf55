// The messages of the shown conversation, kept at their end while an answer grows unless the reader scrolled up; and
// what stands there before the first one.
import { useLayoutEffect, useRef } from "preact/hooks";
import { liveConversation, send } from "../state/chat";
import { current, currentId } from "../state/conversations";
import { info, opening } from "../state/model";
import { kDemoFile } from "../state/demo";
import { Mark } from "./icons";
import { Answer, LiveAnswer, Question } from "./message";

const kNearEnd = 80; // pixels

export function ConversationView() {
  const scroller = useRef<HTMLDivElement>(null);
  const follow = useRef(true);
  const messages = current.value?.messages ?? [];
  const answering = liveConversation.value !== null && liveConversation.value === currentId.value;
  // An answer saved on its way lies in the conversation too.
  const shown = answering && messages.at(-1)?.role === "assistant" ? messages.slice(0, -1) : messages;
  useLayoutEffect(() => {
    follow.current = true;
  }, [currentId.value, messages.length]);
  const toEnd = () => {
    const box = scroller.current;
    if (box === null || !follow.current) return;
    box.scrollTop = shown.length === 0 && !answering ? 0 : box.scrollHeight;
  };
  useLayoutEffect(toEnd);
  const onScroll = () => {
    const box = scroller.current;
    if (box !== null) follow.current = box.scrollHeight - box.scrollTop - box.clientHeight < kNearEnd;
  };
  return (
    <div class="scroller" ref={scroller} onScroll={onScroll} tabIndex={-1}>
      {shown.length === 0 && !answering ? (
        <Welcome />
      ) : (
        <div class="column messages">
          {shown.map((message) =>
            message.role === "user" ? (
              <Question key={message.id} message={message} />
            ) : (
              <Answer key={message.id} message={message} />
            ),
          )}
          {answering && <LiveAnswer onGrow={toEnd} />}
        </div>
      )}
    </div>
  );
}

const kDemoPrompts = [
  "What is Tern?",
  "What is 47 + 85?",
  "Tell me a short story.",
  "Sort these words: pear, apple, fig.",
];
const kPrompts = [
  "Explain how a language model picks its next word.",
  "Give me a recipe for four with lentils.",
  "Write a polite note declining a meeting.",
  "What should I read after Moby-Dick?",
];

function Welcome() {
  const name = info.value?.name ?? "";
  const demo = name === kDemoFile || (name === "" && (opening.value?.source.kind ?? "demo") === "demo");
  return (
    <div class="column welcome">
      <Mark />
      <h1>Chat with a model that runs in this tab</h1>
      <p>
        Nothing you write leaves this machine, and it works without a network.
        {demo && " The demo model is small and quick: it knows a little arithmetic, units, dates, stories and itself."}
      </p>
      <ul class="prompts" aria-label="Suggestions">
        {(demo ? kDemoPrompts : kPrompts).map((prompt) => (
          <li key={prompt}>
            <button type="button" class="prompt" onClick={() => send(prompt)}>
              {prompt}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
