// Vercel's `ai`, unmodified, through a gateway: each completes a turn in which it calls a tool.
//
// Reads WEIR_GATEWAY, WEIR_KEY and WEIR_PROVIDERS (see stage.py). Ends with a `test result:` line.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The packages stand in .tools, not above this file, where Node would look for them.
const require = createRequire(new URL("../../.tools/clients/node/", import.meta.url));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { generateText, streamText, jsonSchema, Output, isStepCount, tool } = await load("ai");
const { createOpenAI } = await load("@ai-sdk/openai");
const { createAnthropic } = await load("@ai-sdk/anthropic");
const { createGoogle } = await load("@ai-sdk/google");

const gateway = process.env.WEIR_GATEWAY;
const apiKey = process.env.WEIR_KEY;
const RESULT = "7 degrees and rain";
const CITY = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };

const openai = createOpenAI({ baseURL: `${gateway}/v1`, apiKey });
const anthropic = createAnthropic({ baseURL: `${gateway}/v1`, apiKey });
const google = createGoogle({ baseURL: `${gateway}/v1beta`, apiKey });
// A past message is sent as a reference to what the vendor stored, unless it is not to store anything; a gateway to another
// vendor has nothing to look it up in.
const providerOptions = { openai: { store: false } };
const CLIENTS = { "openai chat": openai.chat, "openai responses": openai.responses, anthropic, google };

function must(condition, what) {
  if (!condition) throw new Error(what);
}

function asked(model) {
  const called = [];
  const execute = async ({ city }) => {
    called.push(city);
    return RESULT;
  };
  const get_weather = tool({ description: "The weather in a city.", inputSchema: jsonSchema(CITY), execute });
  const stopWhen = isStepCount(4);
  return { called, given: { model, tools: { get_weather }, stopWhen, prompt: "Please use the tool.", maxRetries: 0, providerOptions } };
}

const DEEDS = {
  whole: async (model) => {
    const { called, given } = asked(model);
    const { text } = await generateText(given);
    must(called.length, "the tool was not called");
    must(text.includes(RESULT), `the result is not in ${JSON.stringify(text)}`);
  },
  streamed: async (model) => {
    const { called, given } = asked(model);
    let failure;
    const stream = streamText({ ...given, onError: ({ error }) => (failure = error) });
    let text = "";
    for await (const piece of stream.textStream) text += piece;
    if (failure) throw failure;
    must(called.length, "the tool was not called");
    must(text.includes(RESULT), `the result is not in ${JSON.stringify(text)}`);
  },
  structured: async (model) => {
    const output = Output.object({ schema: jsonSchema(CITY) });
    const answer = await generateText({ model, prompt: "Name a river.", output, maxRetries: 0, providerOptions });
    must(typeof answer.output.city === "string", `the answer is ${JSON.stringify(answer.output)}`);
  },
};

let passed = 0;
let failed = 0;
globalThis.AI_SDK_LOG_WARNINGS = false;
for (const provider of process.env.WEIR_PROVIDERS.split(" ")) {
  for (const [client, make] of Object.entries(CLIENTS)) {
    for (const [deed, play] of Object.entries(DEEDS)) {
      try {
        await play(make(`via-${provider}`));
        passed += 1;
      } catch (error) {
        failed += 1;
        const more = error.responseBody ? ` ${error.responseBody.slice(0, 300)}` : "";
        console.log(`failed: ai ${client}, ${provider} provider, ${deed}: ${error.name}: ${error.message}${more}`);
      }
    }
  }
}
console.log(`test result: ${failed || !passed ? "FAILED" : "ok"}. ${passed} passed; ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
