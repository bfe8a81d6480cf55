// Test data for the text room from llama3-tokenizer-js (Llama 3's vocabulary and merges, and an encoder of its own).
//
//   node tools/gen_text_vectors.mjs extract    (run by `npm ci` in tests/peers) writes what is too large or not ours to
//                                              commit to tests/peers/node_modules/.tern: the vocabulary and the
//                                              chat template of Llama 3.1
//   node tools/gen_text_vectors.mjs vectors    writes tests/data/text/llama3_vectors.json: [text, ids] pairs
//
// The peer's \s is JavaScript's, which has U+FEFF and lacks U+0085; tiktoken and Hugging Face go by White_Space, so
// those two characters are left to tools/gen_text_vectors.py.
import {execFileSync} from 'node:child_process';
import {mkdirSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(join(root, 'tests/peers/package.json'));

async function loadPeer() {
  const entry = join(dirname(require.resolve('llama3-tokenizer-js')), 'llama3-tokenizer-with-baked-data.js');
  return (await import(pathToFileURL(entry))).default;
}

function extract(peer) {
  const merges = [...peer.merges].sort((a, b) => a[1] - b[1]).map(([pair]) => pair);
  const folder = join(root, 'tests/peers/node_modules/.tern');
  mkdirSync(folder, {recursive: true});
  writeFileSync(join(folder, 'llama3_vocabulary.json'), JSON.stringify({tokens: peer.vocabById, merges}));
  fetchLlama31(folder);
}

// The PyPI package ldp has the template as its publisher wrote it. Without it one test is skipped, so a failure is only
// told.
function fetchLlama31(folder) {
  const script = `
import glob, sys, zipfile
wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + "/ldp-*.whl")[0])
sys.stdout.buffer.write(wheel.read("ldp/nn/chat_templates/llama3.1_chat_template_hf.jinja"))`;
  try {
    execFileSync('python3', [
      '-m',
      'pip',
      'download',
      '-q',
      '--disable-pip-version-check',
      '--no-deps',
      '--dest',
      folder,
      'ldp==0.43.0',
    ]);
    writeFileSync(join(folder, 'llama31.jinja'), execFileSync('python3', ['-c', script, folder]));
  } catch (error) {
    console.error(`Llama 3.1's chat template could not be fetched; its test will be skipped. (${error.message})`);
  }
}

const words = [
  'the',
  'The',
  'THE',
  'tern',
  'migration',
  'antidisestablishmentarianism',
  "it's",
  "IT'S",
  "we'll",
  "WE'LL",
  "they're",
  "I'd",
  "I've",
  "I'm",
  "don't",
  "o'clock",
  "'s",
  "'S",
  "'ll",
  "'x",
  '12',
  '123',
  '1234',
  '12345',
  '3.14159',
  '1,000,000',
  '0x1F',
  '2024-07-26',
  'a1b2',
  '½',
  '²',
  'Ⅷ',
  '٣٤٥٦',
  '१२३४',
  '௧௨',
  '€20',
  '$9.99',
  '100%',
  'C++',
  'f(x)',
  '!=',
  '...',
  '—',
  '“quoted”',
  '«oui»',
  'naïve',
  'cafe\u0301',
  'Z\u0310\u0311a\u0322l\u0323',
  'Straße',
  'İstanbul',
  'ǅ',
  'ﬁn',
  'Ωμέγα',
  'привет',
  'Київ',
  'שלום',
  'مرحبا',
  'العَرَبِيَّة',
  'फ़ारसी',
  'क्षत्रिय',
  'தமிழ்',
  'ไทยแลนด์',
  '日本語',
  '漢字かな交じり文',
  '中文分词',
  '한국어',
  '각',
  'ქართული',
  'አማርኛ',
  'ᏣᎳᎩ',
  '𝔘𝔫𝔦',
  '𠜎𠜱',
  '😀',
  '👩‍👩‍👧‍👦',
  '🏳️‍🌈',
  '👍🏽',
  '🇩🇪',
  '☃️',
  '→',
  '∑',
  '№',
  'http://example.org/?q=1&r=2',
  'user@example.com',
  'snake_case_name',
  'camelCaseName',
  '#include',
  '</div>',
  '{"a":[1]}',
  '\\n',
  '\u200b',
  '\u200d',
  '\u00ad',
  '\u0301',
  '\u0000',
  '\u0007',
  '\u007f',
  '\u2028',
  '\u3000',
  '\u00a0',
  '\ud83d\ude00',
];
const gaps = [
  '',
  ' ',
  '  ',
  '   ',
  '\n',
  '\r\n',
  '\n\n',
  ' \n',
  '\n ',
  '\t',
  '\t\t',
  ' \t',
  '\u00a0',
  '\u3000',
  ' \n \n ',
  '\r',
  '\v',
];
const sentences = [
  '',
  ' ',
  '        ',
  '\n',
  '\n\n\n\n',
  '\t',
  'a',
  'I',
  'Hello, world!',
  'The quick brown fox jumps over the lazy dog.',
  'def fib(n):\n    if n < 2:\n        return n\n    return fib(n - 1) + fib(n - 2)\n',
  '#include <cstdio>\nint main() {\n\tprintf("%d\\n", 42);\n}\n',
  "SELECT * FROM t WHERE a >= 10 AND b != 'x';",
  'Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.',
  "Le cœur déçu mais l'âme plutôt naïve.",
  'Съешь же ещё этих мягких французских булок, да выпей чаю.',
  'いろはにほへと ちりぬるを わかよたれそ つねならむ',
  '天地玄黃，宇宙洪荒。日月盈昃，辰宿列張。',
  '키스의 고유조건은 입술끼리 만나야 하고',
  'نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر',
  'ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण',
  'נתיב המבוקש של מדע הוא סקרן',
  'ng̃ ḳ́ ạ̈',
  'x'.repeat(300),
  '='.repeat(80),
  ' '.repeat(100) + 'x',
  '\n'.repeat(50),
  '1'.repeat(31),
  'ab'.repeat(100),
  '你'.repeat(60),
  '😀'.repeat(20),
  '<|begin_of_text|>',
  '<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>',
  'a<|eot_id|>b',
  '<|eot_id|><|eot_id|>',
  '<|not_a_token|>',
  '<|eot_id',
  'x <|end_of_text|> y',
  '<|reserved_special_token_5|>',
  '<|reserved_special_token_250|>',
  '<|reserved_special_token_251|>',
];

function vectors(peer) {
  let state = 12345; // a linear congruential generator, so that the file comes out the same everywhere
  const pick = (list) => list[(state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % list.length];
  const texts = [...sentences, ...words];
  while (texts.length < 700) {
    let text = '';
    for (let n = 1 + (texts.length % 9); n > 0; --n) text += pick(gaps) + pick(words);
    texts.push(text + pick(gaps));
  }
  const rows = texts.map((text) => JSON.stringify([text, peer.encode(text, {bos: false, eos: false})]));
  writeFileSync(join(root, 'tests/data/text/llama3_vectors.json'), `[\n${rows.join(',\n')}\n]\n`);
}

const command = process.argv[2];
if (command === 'extract') extract(await loadPeer());
else if (command === 'vectors') vectors(await loadPeer());
else throw new Error('usage: gen_text_vectors.mjs extract|vectors');
