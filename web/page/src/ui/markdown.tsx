// Markdown as elements. marked parses it to tokens; each becomes elements with text inside, and nothing is ever parsed
// as HTML: tags in an answer are shown as the text they are, pictures are links, and links go to http(s) and mail only.
import type { MarkedToken, Token, Tokens } from "marked";
import { Component } from "preact";
import type { ComponentChildren } from "preact";
import { lex, lexGrown } from "../markdown_blocks";
import { memo } from "./memo";
import { decodeEntities } from "./entities";
import { CopyButton } from "./controls";

/// Blocks whose source has not changed keep their elements: while an answer grows, only its last block is built anew.
export class Markdown extends Component<{ text: string }> {
  #text = "";
  #blocks: Token[] = [];

  override shouldComponentUpdate(next: Readonly<{ text: string }>): boolean {
    return next.text !== this.props.text;
  }

  override render({ text }: { text: string }): ComponentChildren {
    this.#blocks = text.startsWith(this.#text) ? lexGrown(this.#blocks, text) : lex(text);
    this.#text = text;
    return (
      <div class="markdown">
        {this.#blocks.map((block, i) => (
          <Block key={i} source={block.raw} token={block as MarkedToken} />
        ))}
      </div>
    );
  }
}

const Block = memo(
  ({ token }: { source: string; token: MarkedToken }) => renderBlock(token),
  (before, after) => before.source === after.source,
);

function renderBlock(token: MarkedToken): ComponentChildren {
  switch (token.type) {
    case "heading":
      return <Heading depth={token.depth}>{inline(token.tokens)}</Heading>;
    case "paragraph":
      return <p>{inline(token.tokens)}</p>;
    case "text":
      return token.tokens === undefined ? decodeEntities(token.text) : inline(token.tokens);
    case "code":
      return <CodeBlock language={token.lang ?? ""} code={token.text} />;
    case "blockquote":
      return <blockquote>{blocksOf(token.tokens)}</blockquote>;
    case "list":
      return <List list={token} />;
    case "table":
      return <Table table={token} />;
    case "hr":
      return <hr />;
    case "html":
      return <p>{token.text}</p>;
    case "space":
    case "def":
      return null;
    default:
      return renderInline(token);
  }
}

const blocksOf = (tokens: Token[]) => tokens.map((token) => renderBlock(token as MarkedToken));
const inline = (tokens: Token[]) => tokens.map((token) => renderInline(token as MarkedToken));

function renderInline(token: MarkedToken): ComponentChildren {
  switch (token.type) {
    case "text":
    case "escape":
      return "tokens" in token && token.tokens ? inline(token.tokens) : decodeEntities(token.text);
    case "strong":
      return <strong>{inline(token.tokens)}</strong>;
    case "em":
      return <em>{inline(token.tokens)}</em>;
    case "del":
      return <del>{inline(token.tokens)}</del>;
    case "codespan":
      return <code>{token.text}</code>;
    case "br":
      return <br />;
    case "link":
      return <Link href={token.href}>{inline(token.tokens)}</Link>;
    case "image":
      return <Link href={token.href}>{token.text || token.href}</Link>;
    case "checkbox":
      return <input type="checkbox" checked={token.checked} disabled aria-label={token.checked ? "done" : "to do"} />;
    default:
      return token.raw;
  }
}

/// Below the page's own headings, which end at level 2.
function Heading({ depth, children }: { depth: number; children: ComponentChildren }) {
  const Tag = `h${Math.min(6, depth + 2)}` as "h3";
  return <Tag class={`heading-${depth}`}>{children}</Tag>;
}

function Link({ href, children }: { href: string; children: ComponentChildren }) {
  if (!/^(https?:|mailto:)/i.test(href.trim())) return <>{children}</>;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}

function List({ list }: { list: Tokens.List }) {
  const items = list.items.map((item, i) => (
    <li key={i} class={item.task ? "task" : undefined}>
      {blocksOf(item.tokens)}
    </li>
  ));
  return list.ordered ? <ol start={Number(list.start) || 1}>{items}</ol> : <ul>{items}</ul>;
}

function Table({ table }: { table: Tokens.Table }) {
  const align = (cell: Tokens.TableCell) => (cell.align === null ? undefined : `align-${cell.align}`);
  return (
    <div class="table" role="region" aria-label="Table" tabIndex={0}>
      <table>
        <thead>
          <tr>
            {table.header.map((cell, i) => (
              <th key={i} class={align(cell)}>
                {inline(cell.tokens)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, i) => (
            <tr key={i}>
              {row.map((cell, j) => (
                <td key={j} class={align(cell)}>
                  {inline(cell.tokens)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function CodeBlock({ language, code }: { language: string; code: string }) {
  const name = language.split(/\s/)[0] ?? "";
  return (
    <div class="code-block">
      <div class="code-head">
        <span>{name || "text"}</span>
        <CopyButton text={code} label="Copy code" />
      </div>
      <pre tabIndex={0} role="region" aria-label={name === "" ? "Code" : `Code, ${name}`}>
        <code>{code}</code>
      </pre>
    </div>
  );
}
