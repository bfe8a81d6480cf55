"""Questions about Tern itself, and a small glossary of the words one meets there. One true answer per question."""

from task import ask, casual, normalise, polite, spin

NAME = "tern"

# (answer, patterns); the first pattern's plain phrasings are what people type first
FACTS = [
    (
        (
            "Tern is an engine that runs Llama-family language models. It works in the browser with WebGPU, and on"
            " ordinary CPUs and GPUs."
        ),
        [
            (
                "[What is|What's|Tell me about|Explain|Describe|What exactly is|Can you explain|Tell me what is|What do"
                " you know about|Introduce|Say something about] [Tern|the Tern engine|the Tern project|this Tern"
                " thing|Tern, the engine|the engine called Tern][?|.]"
            ),
            (
                "What [does Tern do|is Tern for|can Tern do|is the purpose of Tern|is Tern good for|does the Tern"
                " engine do|kind of program is Tern]?"
            ),
        ],
    ),
    (
        "Tern is written in C++23. The part for the browser is written in TypeScript.",
        [
            (
                "[What|Which|In what|In which] [language|programming language|computer language] is [Tern|the Tern"
                " engine|this engine|Tern's code] [written in|implemented in|made with|coded in|programmed in]?"
            ),
            (
                "[Is Tern|Is the Tern engine|Is this engine] [written|implemented|programmed|coded] in"
                " [C++|C|Rust|Python|Java|Go|TypeScript]?"
            ),
            "How is [Tern|the Tern engine] [written|implemented|programmed]?",
        ],
    ),
    (
        "Tern is free software under the Apache-2.0 license.",
        [
            (
                "[What|Which] [license does Tern have|license does Tern use|is the license of Tern|is Tern's"
                " license|license is Tern under|license does the Tern engine have|license covers Tern]?"
            ),
            (
                "[Is Tern|Is the Tern engine|Is this engine|Is this software] [free|open source|free"
                " software|open|proprietary|commercial]?"
            ),
            (
                "[Can I|May I|Am I allowed to] [use|sell|copy|change|modify|share] [Tern|the Tern engine|Tern's"
                " code|Tern at work|Tern in my product]?"
            ),
            (
                "[How much does Tern cost|What does Tern cost|Do I have to pay for Tern|Under which license is Tern"
                " released]?"
            ),
        ],
    ),
    (
        "Type make demo. It builds Tern and starts a chat with me.",
        [
            (
                "[How do I|How can I|How to|Tell me how to|What must I type to|How does one] [start|try|run|start the"
                " demo of|install|build|use|set up|get|launch|begin with|try out|run the demo of] [Tern|the Tern"
                " engine|Tern on my machine|Tern here]?"
            ),
            (
                "[What does make demo do|What is make demo|How do I run the demo|How do I start the demo|How do I start"
                " a chat]?"
            ),
        ],
    ),
    (
        "Type make test. It runs every test.",
        [
            (
                "[How do I|How can I|How to|Tell me how to|What must I type to|How does one] [test Tern|run the"
                " tests|run Tern's tests|run all the tests|check Tern|check that Tern works|run the test suite|test the"
                " engine]?"
            ),
            "What [does make test do|is make test]?",
        ],
    ),
    (
        "Tern reads GGUF files and Hugging Face folders with safetensors.",
        [
            (
                "[What|Which] [files|file formats|model files|model formats|file types|formats of files|kinds of model"
                " files] [can Tern read|does Tern read|does Tern support|can Tern load|does Tern load|does Tern"
                " understand|can I use with Tern|work with Tern]?"
            ),
            (
                "[Can Tern|Does Tern|Will Tern] [read|load|open|support|understand|run] [GGUF|GGUF"
                " files|safetensors|safetensors files|Hugging Face models|Hugging Face folders|a GGUF file|GGUF"
                " models]?"
            ),
        ],
    ),
    (
        "Type tern chat and the path of a GGUF file or model folder.",
        [
            (
                "[How do I|How can I|How to|Tell me how to|How does one] [run my own model|use my own model|load a"
                " model|chat with another model|use another model|open a GGUF file|load my model|try a bigger model|run"
                " a GGUF file|chat with my own model|load another model][ in Tern| with Tern|]?"
            ),
            (
                "[Can I|May I|Is it possible to] [use|run|load|try] [my own model|another model|a bigger model|other"
                " models|a different model][ in Tern| with Tern|]?"
            ),
        ],
    ),
    (
        "Tern runs Llama, Mistral, Qwen, Gemma, Phi-3 and Mixtral models.",
        [
            (
                "[What|Which] [models|architectures|model families|language models|kinds of models|LLMs] [can Tern"
                " run|does Tern run|does Tern support|work with Tern|run in Tern|are supported|can I run with Tern|does"
                " the engine support]?"
            ),
            (
                "[Can Tern|Does Tern|Will Tern] [run|support] [Llama|Mistral|Qwen|Gemma|Phi-3|Mixtral|Llama 3|Qwen"
                " 3|Gemma 2|Llama models|mixtures of experts]?"
            ),
        ],
    ),
    (
        (
            "Tern compiles a model to a static plan once. A small player then runs the plan on a CPU, on a GPU or in a"
            " browser."
        ),
        [
            (
                "How [does Tern work|does the Tern engine work|does this engine work|does Tern run a model|is Tern"
                " designed|does Tern work inside|is Tern built inside|does Tern do it]?"
            ),
            (
                "[Explain|Describe|Tell me] [how Tern works|the design of Tern|Tern's design|the idea of Tern|the"
                " architecture of Tern|Tern's architecture|how the engine works]."
            ),
            (
                "What is [the idea behind Tern|the main idea of Tern|special about Tern|Tern's design|the one idea of"
                " Tern|new about Tern]?"
            ),
        ],
    ),
    (
        (
            "A plan is data: the list of all steps of a model with their memory. Tern makes it once, when the model is"
            " loaded."
        ),
        [
            (
                "[What is|What's|Explain|Describe] [a plan|a static plan|the plan|a plan in Tern|a Tern plan|Tern's"
                " plan|the static plan of Tern][?|.]"
            ),
            "What [does the plan hold|does a plan contain|is in a plan|does plan mean in Tern]?",
        ],
    ),
    (
        (
            "A player is a small program that runs a plan. Tern has players for the CPU, for native GPUs and for the"
            " browser."
        ),
        [
            "[What is|What's|Explain|Describe] [a player|a player in Tern|a Tern player|the player|Tern's player][?|.]",
            "What [does a player do|are players|are Tern's players|does player mean in Tern|players does Tern have]?",
        ],
    ),
    (
        "Yes. Tern runs in a browser tab with WebAssembly and WebGPU.",
        [
            (
                "[Does Tern|Can Tern|Will Tern|Does the Tern engine|Can the engine] [run|work] [in a browser|in the"
                " browser|in my browser|in a browser tab|in Chrome|in Firefox|on a web page|on the web|in a web page]?"
            ),
            "Can I [use|run|try] Tern [in a browser|in the browser|in my browser|on a web page|in Chrome]?",
        ],
    ),
    (
        "No. Tern runs on any CPU, and it uses a GPU when there is one.",
        [
            (
                "[Do I need|Does Tern need|Does Tern require|Must I have|Does the engine need|Do I have to buy] [a"
                " GPU|a graphics card|a fast GPU|an NVIDIA card|CUDA|special hardware|a big computer]?"
            ),
            (
                "[Can Tern run|Does Tern work|Does Tern run|Can I use Tern] without [a GPU|a graphics card|CUDA|special"
                " hardware]?"
            ),
        ],
    ),
    (
        "Yes. With Tern the model runs on your own machine, and your text stays there.",
        [
            "[Is Tern|Is the engine|Is this chat] [private|safe for my data|offline|local]?",
            (
                "[Does Tern|Can Tern|Does the engine|Will Tern] [work offline|run offline|work without internet|run"
                " without a network|keep my data private|keep my text private|run locally|run on my own machine]?"
            ),
        ],
    ),
    (
        "A tern is a slender sea bird. The Arctic tern flies farther than any other bird.",
        [
            (
                "[What is|What's|Tell me about|Describe] [a tern|the bird tern|the tern bird|an Arctic tern|the Arctic"
                " tern|terns][?|.]"
            ),
            "[Is a tern|Is the tern] [a bird|an animal|a sea bird|a fish]?",
            "What [kind of animal|kind of bird|bird|animal] is a tern?",
        ],
    ),
    (
        "A tern is a light bird that travels very far, and Tern is a light engine that runs in many places.",
        [
            (
                "Why [is it called Tern|is Tern called Tern|the name Tern|is the engine called Tern|did they name it"
                " Tern|is the name Tern|does it have the name Tern]?"
            ),
            "[Where does|Why does] the name [Tern come from|Tern exist]?",
            "What does [the name Tern|Tern's name] mean?",
        ],
    ),
    (
        "I have about 14 million weights. My file is smaller than 16 megabytes.",
        [
            (
                "How [big are you|large are you|many parameters do you have|many weights do you have|small are you|big"
                " is this model|large is this model|many parameters has this model|many weights has this model|big is"
                " your file]?"
            ),
            (
                "[What is|What's|Tell me] [your size|the size of this model|your number of parameters|your number of"
                " weights|the size of your file][?|.]"
            ),
        ],
    ),
    (
        "Scripts made up simple English chats, and I learned from them for a few minutes on one GPU.",
        [
            "[How|Where|On what|On which data] were you [trained|made|taught|created|built]?",
            "[Who|What] [made you|trained you|created you|built you|taught you]?",
            "What [is your training data|were you trained on|data did you learn from|did you learn from]?",
            "How [did you learn|were you trained|long were you trained]?",
        ],
    ),
    (
        "I am a Llama-3 style network: 6 layers, 512 wide, 8 heads, 4096 tokens of vocabulary.",
        [
            (
                "[What is|What's|Describe|Tell me|Explain] [your architecture|your network|the architecture of this"
                " model|your structure|your model architecture][?|.]"
            ),
            "How many [layers|heads|tokens|attention heads|layers and heads] do you have?",
            "What [kind of network|type of model|kind of model|type of network|architecture] are you?",
        ],
    ),
    (
        "I can read about 2000 tokens. After that the chat is full.",
        [
            (
                "[How long is|How large is|What is|How big is] [your context|your memory|your context window|the"
                " context window|your context length|the context][?]"
            ),
            (
                "How [many tokens can you read|much text can you read|much can you remember|long can our chat be|long"
                " can a chat be|many tokens fit]?"
            ),
        ],
    ),
    (
        "Yes. Tern has a server that speaks the OpenAI protocol.",
        [
            (
                "[Does Tern have|Is there|Has Tern got|Does Tern come with|Does Tern offer] [a server|an API|an HTTP"
                " server|an OpenAI API|a REST API|a web server|an OpenAI server]?"
            ),
            (
                "[Can Tern|Does Tern] [speak the OpenAI protocol|work with OpenAI clients|serve models|serve many"
                " users|run as a server]?"
            ),
        ],
    ),
    (
        "Type tern convert. It writes GGUF files and changes the weight format.",
        [
            (
                "[How do I|How can I|How to|Tell me how to] [convert a model|convert safetensors to GGUF|make a GGUF"
                " file|quantize a model|make a model smaller|change the weight format|write a GGUF file|convert my"
                " model][ with Tern|]?"
            ),
            "What [does tern convert do|is tern convert]?",
        ],
    ),
    (
        "Type tern info and the path. It shows the sizes, formats and memory of a model.",
        [
            (
                "[How do I|How can I|How to|Tell me how to] [inspect a model|see what is in a GGUF file|show the size"
                " of a model|look into a model|see the memory a model needs|describe a model|inspect a GGUF file][ with"
                " Tern|]?"
            ),
            "What [does tern info do|is tern info]?",
        ],
    ),
    (
        "Type tern bench and the path. It measures tokens per second.",
        [
            (
                "[How do I|How can I|How to|Tell me how to] [measure the speed|benchmark Tern|measure tokens per"
                " second|test the speed|benchmark a model|see how fast it is|measure performance][ with Tern| of a"
                " model|]?"
            ),
            "What [does tern bench do|is tern bench]?",
        ],
    ),
    (
        "Tern reads many weight formats: F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q6_K, AWQ and others.",
        [
            (
                "[What|Which] [weight formats|quantizations|quantization formats|weight types|number formats|quant"
                " formats] [does Tern support|can Tern read|does Tern read|does Tern know|work in Tern|are supported]?"
            ),
            (
                "[Does Tern|Can Tern] [support|read|run] [Q4_K|Q8_0|Q4_0|AWQ|F16|BF16|quantized models|4 bit models|8"
                " bit models]?"
            ),
        ],
    ),
    (
        "Yes. Tern can serve several chats at once and decodes them in one step.",
        [
            (
                "[Can Tern|Does Tern|Will Tern] [serve several users|run several chats|handle many chats|run many chats"
                " at once|batch requests|serve many people|handle several requests]?"
            ),
            (
                "[Does Tern support|Does Tern have|Does Tern do] [batching|several users|many users|parallel"
                " chats|concurrent requests]?"
            ),
        ],
    ),
    (
        "Others are larger and older. Tern aims to be clear, small and fast, in the browser too.",
        [
            (
                "[Is Tern|Is the engine] [better than|like|the same as|different from|similar to]"
                " [llama.cpp|Ollama|vLLM|PyTorch|web-llm|other engines|ONNX Runtime|MLX]?"
            ),
            (
                "[How does Tern compare to|Why use Tern instead of|Why not use|What is the difference between Tern and]"
                " [llama.cpp|Ollama|vLLM|PyTorch|web-llm|other engines|ONNX Runtime|MLX]?"
            ),
            "Why [should I use Tern|Tern|use Tern|do I need Tern|is Tern good|is Tern special]?",
        ],
    ),
    (
        "Tern's GPU code is written in WGSL, the language of WebGPU. It runs natively and in the browser.",
        [
            "How does Tern use [WebGPU|the GPU|a GPU|my GPU|graphics cards]?",
            "[What|Which] [GPU language|shader language|language for the GPU] does Tern use?",
            (
                "[What is WGSL|Explain WGSL|How does Tern run on GPUs|"
                "Does Tern use CUDA|Does Tern use Vulkan|Does Tern use WebGPU|Can Tern use my GPU]?"
            ),
        ],
    ),
    (
        "It depends on your machine. At the end of each answer Tern shows its tokens per second.",
        [
            (
                "How [fast is Tern|quick is Tern|fast is the engine|many tokens per second does Tern make|fast does"
                " Tern run|fast are you]?"
            ),
            "[Is Tern|Is the engine|Are you] [fast|quick|slow|very fast]?",
            "What is the speed of [Tern|the engine]?",
        ],
    ),
    (
        "Engineers write Tern in the open, under the Apache-2.0 license.",
        [
            "Who [made|wrote|created|builds|develops|built|writes|is behind|designed|maintains|works on] [Tern|the Tern"
            " engine|this engine]?"
        ],
    ),
    (
        "Clear code and true tests. Adding a model, a weight format or a backend means adding one file or folder.",
        [
            (
                "[How do I|How can I|How to|Is it hard to|Tell me how to] [add a model|add a backend|add a weight"
                " format|add a new model|add a new backend|extend Tern|contribute|contribute to Tern|change Tern][ to"
                " Tern|]?"
            ),
            "What [do Tern's authors care about|is important in Tern|are Tern's values|does Tern value]?",
        ],
    ),
]

GLOSSARY = {
    "an LLM": "An LLM is a large language model. It predicts the next token of a text, again and again.",
    "a chip": "A chip is a small plate of silicon with many electronic parts.",
    "WebGPU": "WebGPU is a standard that lets web pages and programs compute on the GPU.",
    "WebAssembly": "WebAssembly is a compact code format that browsers run at nearly native speed.",
    "GGUF": "GGUF is a file format that holds a model's weights, tokenizer and settings in one file.",
    "safetensors": "Safetensors is a simple and safe file format for the weights of a model.",
    "a token": "A token is a piece of text, such as a word or part of a word, that a model reads as one number.",
    "a tokenizer": "A tokenizer cuts text into tokens and turns tokens back into text.",
    "BPE": "BPE is byte pair encoding. It builds tokens by merging frequent pairs of pieces.",
    "quantization": "Quantization stores weights with fewer bits, so that a model is smaller and faster.",
    "the KV cache": "The KV cache keeps the keys and values of past tokens, so that they are not computed again.",
    "attention": "Attention lets each token look at the tokens before it and gather what matters.",
    "a transformer": "A transformer is a network of attention and feed-forward layers.",
    "a language model": "A language model predicts the next token of a text, again and again.",
    "Llama": "Llama is a family of open language models. Tern runs models of that family.",
    "a GPU": "A GPU is a processor with many small cores that work in parallel.",
    "a CPU": "A CPU is the main processor of a computer.",
    "prefill": "Prefill is the step that reads the whole prompt at once.",
    "decode": "Decode is the step that makes one new token at a time.",
    "greedy decoding": "Greedy decoding always takes the most likely next token.",
    "temperature": "Temperature sets how random the choice of the next token is. Zero means greedy.",
    "a seed": "A seed fixes the random numbers: the same seed gives the same text.",
    "a chat template": "A chat template turns a list of messages into the text that a model reads.",
    "perplexity": "Perplexity measures how well a model predicts a text. Lower is better.",
    "RoPE": "RoPE is rotary position embedding. It turns queries and keys by an angle that grows with the position.",
    "a kernel": "A kernel is a small function that computes one operation on the CPU or GPU.",
    "C++": "C++ is a fast compiled programming language. Tern is written in C++23.",
    "an embedding": "An embedding is a vector of numbers that stands for a token.",
    "Q8_0": "Q8_0 stores 32 weights as 8-bit integers with one scale.",
    "Q4_0": "Q4_0 stores 32 weights as 4-bit integers with one scale.",
}
FRAMES = [
    (
        "[What is|What's|Explain|Describe|Define|What exactly is|Can you explain|Please explain|Tell me what|Do you"
        " know what] {x}[?|]"
    ),
    (
        "[What does {y} mean|What do you mean by {y}|Explain {x} to me|Explain {x} in one sentence|Tell me about {x}|I"
        " do not know what {y} is|What is {x} in simple words|Help me understand {x}|Give me a definition of {y}|What"
        " is {x} good for][?|]"
    ),
]


def glossary(rng):
    term = rng.choice(list(GLOSSARY))
    text = spin(rng, rng.choice(FRAMES), x=term, y=term.removeprefix("a ").removeprefix("an ").removeprefix("the "))
    if text.startswith(("Tell me what", "Do you know what")):
        text = text.rstrip("?") + " is?"
    first = normalise(f"What is {term}?") == normalise(text)
    return ask(casual(rng, polite(rng, text)), GLOSSARY[term], pinned=first)


PINNED = {
    normalise(p)
    for p in (
        "What is Tern?",
        "Tell me about Tern.",
        "What's Tern?",
        "What does Tern do?",
        "How does Tern work?",
        "What is a tern?",
        "How do I start Tern?",
        "How big are you?",
        "Who made you?",
        "How do I try Tern?",
        "How do I use Tern?",
    )
}


def sample(rng):
    if rng.random() < 0.3:
        return glossary(rng)
    answer, patterns = rng.choice(FACTS)
    text = spin(rng, rng.choice(patterns))
    if rng.random() < 0.15:
        text = text.lower().replace("tern", "Tern") if rng.random() < 0.5 and "a tern" not in text else text
    return ask(casual(rng, polite(rng, text)), answer, pinned=normalise(text) in PINNED)
