"""Calls a gateway with the official SDKs, unmodified, each with models that other vendors serve.

    clients.py --gateway http://127.0.0.1:10000 --key K --model openai=NAME --model anthropic=NAME … [--embed openai=NAME …]

A model is given with the API family that serves it. Every SDK is tried with every model: that is the point. The providers
are `weir mock`s: a user's text with `use the tool` makes them call the tool, and a tool's result is quoted in the answer.
Ends with a `test result:` line.
"""

import argparse
import json
import logging
import sys
import traceback
import warnings

import anthropic
import openai
import pydantic
from google import genai
from google.genai import errors, types

ASK = "Name a river."
USE = "Please use the tool."
RESULT = "7 degrees and rain"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
WEATHER = {"name": "get_weather", "description": "The weather in a city."}


class City(pydantic.BaseModel):
    """What a structured answer holds."""

    city: str


def must(condition, what):
    if not condition:
        raise AssertionError(what)


class Chat:
    """OpenAI's SDK, chat completions."""

    def __init__(self, gateway, key):
        self.sdk = openai.OpenAI(base_url=f"{gateway}/v1", api_key=key, max_retries=0, timeout=30)
        self.tools = [{"type": "function", "function": {**WEATHER, "parameters": SCHEMA, "strict": True}}]

    def ask(self, model, text, **more):
        return {"model": model, "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": text}], **more}

    def whole(self, model):
        answer = self.sdk.chat.completions.create(**self.ask(model, ASK, max_completion_tokens=200, temperature=0.5))
        must(answer.choices[0].message.content, "no text")
        must(answer.choices[0].finish_reason == "stop", f"finish_reason is {answer.choices[0].finish_reason}")
        must(answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens > 0, f"usage is {answer.usage}")

    def streamed(self, model):
        more = {"stream_options": {"include_usage": True}}
        with self.sdk.chat.completions.stream(**self.ask(model, ASK, **more)) as events:
            deltas = [event.delta for event in events if event.type == "content.delta"]
            answer = events.get_final_completion()
        must(len(deltas) > 1, f"the text came in {len(deltas)} pieces")
        must(answer.choices[0].message.content == "".join(deltas), "the pieces are not the text")
        must(answer.choices[0].finish_reason == "stop", f"finish_reason is {answer.choices[0].finish_reason}")
        must(answer.usage and answer.usage.total_tokens > 0, "no usage")

    def tool_turn(self, model):
        asked = self.ask(model, USE, tools=self.tools)
        self.second_turn(asked, self.sdk.chat.completions.create(**asked))

    def tool_turn_streamed(self, model):
        asked = self.ask(model, USE, tools=self.tools)
        with self.sdk.chat.completions.stream(**asked) as events:
            answer = events.get_final_completion()
        self.second_turn(asked, answer)

    def second_turn(self, asked, answer):
        message = answer.choices[0].message
        must(answer.choices[0].finish_reason == "tool_calls", f"finish_reason is {answer.choices[0].finish_reason}")
        must(message.tool_calls and message.tool_calls[0].function.name == "get_weather", f"calls are {message.tool_calls}")
        must("city" in json.loads(message.tool_calls[0].function.arguments), "the call has no city")
        past = {
            "role": "assistant",
            "content": message.content,
            "tool_calls": [
                {"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": call.function.arguments}}
                for call in message.tool_calls
            ],
        }
        results = [{"role": "tool", "tool_call_id": call.id, "content": RESULT} for call in message.tool_calls]
        last = self.sdk.chat.completions.create(**{**asked, "messages": [*asked["messages"], past, *results]})
        must(RESULT in (last.choices[0].message.content or ""), f"the result is not in {last.choices[0].message.content!r}")

    def structured(self, model):
        answer = self.sdk.chat.completions.parse(**self.ask(model, ASK, response_format=City))
        must(isinstance(answer.choices[0].message.parsed, City), f"the answer is {answer.choices[0].message.content!r}")

    def embedded(self, model):
        answer = self.sdk.embeddings.create(model=model, input=["river", "weir"])
        must(len(answer.data) == 2 and all(one.embedding for one in answer.data), "not two vectors")
        must(all(isinstance(number, float) for number in answer.data[0].embedding), "a vector is not of numbers")

    def listed(self, model):
        must(model in [one.id for one in self.sdk.models.list()], "the model is not listed")

    def unknown_model(self, _model):
        try:
            self.sdk.chat.completions.create(**self.ask("nobody-serves-this", ASK))
        except openai.NotFoundError as error:
            must(error.code and error.type, f"the error is {error.body}")
            return
        raise AssertionError("an unknown model is no NotFoundError")


class Responses(Chat):
    """OpenAI's SDK, responses."""

    def __init__(self, gateway, key):
        super().__init__(gateway, key)
        self.tools = [{"type": "function", **WEATHER, "parameters": SCHEMA, "strict": True}]

    def ask(self, model, text, **more):
        return {"model": model, "instructions": "Be short.", "input": [{"role": "user", "content": text}], "store": False, **more}

    def whole(self, model):
        answer = self.sdk.responses.create(**self.ask(model, ASK, max_output_tokens=200))
        must(answer.output_text, "no text")
        must(answer.status == "completed", f"status is {answer.status}")
        must(answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0, f"usage is {answer.usage}")

    def streamed(self, model):
        with self.sdk.responses.stream(**self.ask(model, ASK)) as events:
            deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
            answer = events.get_final_response()
        must(len(deltas) > 1, f"the text came in {len(deltas)} pieces")
        must(answer.output_text == "".join(deltas), "the pieces are not the text")
        must(answer.usage and answer.usage.total_tokens > 0, "no usage")

    def tool_turn(self, model):
        asked = self.ask(model, USE, tools=self.tools)
        self.second_turn(asked, self.sdk.responses.create(**asked))

    def tool_turn_streamed(self, model):
        asked = self.ask(model, USE, tools=self.tools)
        with self.sdk.responses.stream(**asked) as events:
            deltas = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
            answer = events.get_final_response()
        must(deltas, "no pieces of arguments")
        self.second_turn(asked, answer)

    def second_turn(self, asked, answer):
        calls = [item for item in answer.output if item.type == "function_call"]
        must(calls and calls[0].name == "get_weather", f"the output is {[item.type for item in answer.output]}")
        must("city" in json.loads(calls[0].arguments), "the call has no city")
        # As the SDK's own examples do: the output goes back as it came.
        past = [item.model_dump(mode="json", exclude_none=True, exclude={"parsed_arguments"}) for item in answer.output]
        results = [{"type": "function_call_output", "call_id": call.call_id, "output": RESULT} for call in calls]
        last = self.sdk.responses.create(**{**asked, "input": [*asked["input"], *past, *results]})
        must(RESULT in last.output_text, f"the result is not in {last.output_text!r}")

    def structured(self, model):
        answer = self.sdk.responses.parse(**self.ask(model, ASK, text_format=City))
        must(isinstance(answer.output_parsed, City), f"the answer is {answer.output_text!r}")

    embedded = None
    listed = None

    def unknown_model(self, _model):
        try:
            self.sdk.responses.create(**self.ask("nobody-serves-this", ASK))
        except openai.NotFoundError:
            return
        raise AssertionError("an unknown model is no NotFoundError")


class Messages:
    """Anthropic's SDK, messages."""

    def __init__(self, gateway, key):
        self.sdk = anthropic.Anthropic(base_url=gateway, api_key=key, max_retries=0, timeout=30)
        self.tools = [{**WEATHER, "input_schema": SCHEMA}]

    def ask(self, model, text, **more):
        return {"model": model, "max_tokens": 200, "system": "Be short.", "messages": [{"role": "user", "content": text}], **more}

    def whole(self, model):
        answer = self.sdk.messages.create(**self.ask(model, ASK))
        must(answer.content and answer.content[0].text, "no text")
        must(answer.stop_reason == "end_turn", f"stop_reason is {answer.stop_reason}")
        must(answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0, f"usage is {answer.usage}")

    def streamed(self, model):
        with self.sdk.messages.stream(**self.ask(model, ASK)) as events:
            deltas = list(events.text_stream)
            answer = events.get_final_message()
        must(len(deltas) > 1, f"the text came in {len(deltas)} pieces")
        must(answer.content[0].text == "".join(deltas), "the pieces are not the text")
        must(answer.stop_reason == "end_turn", f"stop_reason is {answer.stop_reason}")
        must(answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0, f"usage is {answer.usage}")

    def tool_turn(self, model):
        asked = self.ask(model, USE, tools=self.tools)
        self.second_turn(asked, self.sdk.messages.create(**asked))

    def tool_turn_streamed(self, model):
        asked = self.ask(model, USE, tools=self.tools)
        with self.sdk.messages.stream(**asked) as events:
            pieces = [event for event in events if event.type == "input_json"]
            answer = events.get_final_message()
        must(pieces, "no pieces of arguments")
        self.second_turn(asked, answer)

    def second_turn(self, asked, answer):
        calls = [block for block in answer.content if block.type == "tool_use"]
        must(answer.stop_reason == "tool_use", f"stop_reason is {answer.stop_reason}")
        must(calls and calls[0].name == "get_weather" and "city" in calls[0].input, f"the content is {answer.content}")
        past = [block.model_dump(mode="json", exclude_none=True, exclude={"parsed_output"}) for block in answer.content]
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": RESULT} for call in calls]
        turns = [*asked["messages"], {"role": "assistant", "content": past}, {"role": "user", "content": results}]
        last = self.sdk.messages.create(**{**asked, "messages": turns})
        must(RESULT in last.content[0].text, f"the result is not in {last.content[0].text!r}")

    def structured(self, model):
        answer = self.sdk.messages.parse(**self.ask(model, ASK, output_format=City))
        must(isinstance(answer.parsed_output, City), f"the answer is {answer.content}")

    def counted(self, model):
        asked = self.ask(model, ASK)
        del asked["max_tokens"]
        must(self.sdk.messages.count_tokens(**asked).input_tokens > 0, "no tokens")

    def listed(self, model):
        must(model in [one.id for one in self.sdk.models.list()], "the model is not listed")

    def unknown_model(self, _model):
        try:
            self.sdk.messages.create(**self.ask("nobody-serves-this", ASK))
        except anthropic.NotFoundError as error:
            must(error.body["error"]["type"] == "not_found_error", f"the error is {error.body}")
            return
        raise AssertionError("an unknown model is no NotFoundError")


class Gemini:
    """Google's SDK, generateContent."""

    def __init__(self, gateway, key):
        self.sdk = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=gateway, timeout=30_000))
        declaration = types.FunctionDeclaration(**WEATHER, parameters_json_schema=SCHEMA)
        self.tools = [types.Tool(function_declarations=[declaration])]

    def settings(self, **more):
        return types.GenerateContentConfig(system_instruction="Be short.", max_output_tokens=200, **more)

    def whole(self, model):
        answer = self.sdk.models.generate_content(model=model, contents=ASK, config=self.settings(temperature=0.5))
        must(answer.text, "no text")
        must(answer.candidates[0].finish_reason == "STOP", f"finish_reason is {answer.candidates[0].finish_reason}")
        must(answer.usage_metadata.prompt_token_count > 0, f"usage is {answer.usage_metadata}")

    def streamed(self, model):
        chunks = list(self.sdk.models.generate_content_stream(model=model, contents=ASK, config=self.settings()))
        must(len([chunk for chunk in chunks if chunk.text]) > 1, f"the text came in {len(chunks)} pieces")
        must(chunks[-1].candidates[0].finish_reason == "STOP", "the last chunk has no finish")
        must(chunks[-1].usage_metadata.total_token_count > 0, "no usage")

    def tool_turn(self, model):
        answer = self.sdk.models.generate_content(model=model, contents=USE, config=self.settings(tools=self.tools))
        self.second_turn(model, answer.candidates[0].content)

    def tool_turn_streamed(self, model):
        parts = []
        for chunk in self.sdk.models.generate_content_stream(model=model, contents=USE, config=self.settings(tools=self.tools)):
            for candidate in chunk.candidates or []:
                parts += (candidate.content.parts or []) if candidate.content else []
        self.second_turn(model, types.Content(role="model", parts=parts))

    def second_turn(self, model, said):
        calls = [part.function_call for part in said.parts if part.function_call]
        must(calls and calls[0].name == "get_weather" and "city" in calls[0].args, f"the parts are {said.parts}")
        results = [
            types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": RESULT})) for call in calls
        ]
        turns = [types.Content(role="user", parts=[types.Part(text=USE)]), said, types.Content(role="user", parts=results)]
        last = self.sdk.models.generate_content(model=model, contents=turns, config=self.settings(tools=self.tools))
        must(RESULT in last.text, f"the result is not in {last.text!r}")

    def called_by_itself(self, model):
        """The SDK runs a Python function and asks again, all in one call."""
        asked = []

        def get_weather(city: str) -> str:
            """The weather in a city."""
            asked.append(city)
            return RESULT

        answer = self.sdk.models.generate_content(model=model, contents=USE, config=self.settings(tools=[get_weather]))
        must(asked, "the function was not called")
        must(RESULT in answer.text, f"the result is not in {answer.text!r}")

    def structured(self, model):
        more = {"response_mime_type": "application/json", "response_schema": City}
        answer = self.sdk.models.generate_content(model=model, contents=ASK, config=self.settings(**more))
        must(isinstance(answer.parsed, City), f"the answer is {answer.text!r}")

    def counted(self, model):
        must(self.sdk.models.count_tokens(model=model, contents=ASK).total_tokens > 0, "no tokens")

    def embedded(self, model):
        # Strings would become parts of one content where the model's name has "gemini" in it.
        contents = [types.UserContent(word) for word in ("river", "weir")]
        answer = self.sdk.models.embed_content(model=model, contents=contents)
        must(len(answer.embeddings) == 2 and all(one.values for one in answer.embeddings), "not two vectors")

    def listed(self, model):
        names = [one.name for one in self.sdk.models.list()]
        must(f"models/{model}" in names, f"the model is not listed among {names[:5]}")

    def unknown_model(self, _model):
        try:
            self.sdk.models.generate_content(model="nobody-serves-this", contents=ASK)
        except errors.ClientError as error:
            must((error.code, error.status) == (404, "NOT_FOUND"), f"the error is {error}")
            return
        raise AssertionError("an unknown model is no ClientError")


CLIENTS = {"openai": Chat, "openai_responses": Responses, "anthropic": Messages, "gemini": Gemini}

# What is done with every model, what with every embedding model, and what once.
WITH_EACH = ("whole", "streamed", "tool_turn", "tool_turn_streamed", "called_by_itself", "structured", "counted")
WITH_VECTORS = ("embedded",)
ONCE = ("listed", "unknown_model")


def scenarios(chosen, models, embedders):
    for name, client in CLIENTS.items():
        if chosen and name not in chosen:
            continue
        for deeds, given in ((WITH_EACH, models), (WITH_VECTORS, embedders), (ONCE, models[:1])):
            for family, model in given:
                for deed in deeds:
                    if getattr(client, deed, None):
                        yield name, client, deed, family, model


def last_words(error):
    """Where in this file it went wrong, and with what."""
    here = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == __file__]
    where = f"line {here[-1].lineno}: " if here else ""
    return f"{where}{type(error).__name__}: {' '.join(str(error).split())[:400]}"


def pair(text):
    family, _, model = text.partition("=")
    if not model:
        raise argparse.ArgumentTypeError(f"must be FAMILY=MODEL, is {text!r}")
    return family, model


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--gateway", required=True)
    options.add_argument("--key", required=True)
    options.add_argument("--model", action="append", type=pair, default=[], metavar="FAMILY=MODEL")
    options.add_argument("--embed", action="append", type=pair, default=[], metavar="FAMILY=MODEL")
    options.add_argument("--client", action="append", choices=CLIENTS, help="only this SDK; may be repeated")
    given = options.parse_args()
    passed = failed = 0
    ready = {}
    for name, client, deed, family, model in scenarios(given.client, given.model, given.embed):
        try:
            if name not in ready:
                ready[name] = client(given.gateway, given.key)
            getattr(ready[name], deed)(model)
            passed += 1
        except Exception as error:  # SDKs throw errors of many kinds, and each is a verdict
            failed += 1
            print(f"failed: {name} client, {family} provider, {deed}: {last_words(error)}", flush=True)
    print(f"test result: {'FAILED' if failed or not passed else 'ok'}. {passed} passed; {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
