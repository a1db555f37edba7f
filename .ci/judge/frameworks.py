"""LangChain and LlamaIndex, unmodified, through a gateway: each completes a turn in which it calls a tool.

Reads WEIR_GATEWAY, WEIR_KEY and WEIR_PROVIDERS (see stage.py). Ends with a `test result:` line.
"""

import asyncio
import logging
import os
import sys
import traceback
import warnings

warnings.simplefilter("ignore")

from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.tools import FunctionTool
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.google_genai import GoogleGenAI
from llama_index.llms.openai import OpenAI, OpenAIResponses

GATEWAY, KEY = os.environ["WEIR_GATEWAY"], os.environ["WEIR_KEY"]
USE, RESULT = "Please use the tool.", "7 degrees and rain"


def langchain_models(model):
    more = {"timeout": 30, "max_retries": 0}
    yield "ChatOpenAI", ChatOpenAI(model=model, base_url=f"{GATEWAY}/v1", api_key=KEY, **more)
    yield "ChatOpenAI with responses", ChatOpenAI(model=model, base_url=f"{GATEWAY}/v1", api_key=KEY, use_responses_api=True, **more)
    yield "ChatAnthropic", ChatAnthropic(model=model, base_url=GATEWAY, api_key=KEY, max_tokens=500, **more)
    yield "ChatGoogleGenerativeAI", ChatGoogleGenerativeAI(model=model, base_url=GATEWAY, google_api_key=KEY, **more)


def langchain_turn(model, streams):
    called = []

    @tool
    def get_weather(city: str) -> str:
        """The weather in a city."""
        called.append(city)
        return RESULT

    agent = create_agent(model, [get_weather], system_prompt="Be short.")
    asked = {"messages": [{"role": "user", "content": USE}]}
    if streams:
        text = "".join(piece.text for piece, _ in agent.stream(asked, stream_mode="messages") if piece.type == "AIMessageChunk")
    else:
        text = agent.invoke(asked)["messages"][-1].text
    assert called, "the tool was not called"
    assert RESULT in text, f"the result is not in {text!r}"


def llama_models(model):
    # Facts about a model that LlamaIndex would look up by its name, were it one that it knows.
    known = {"context_window": 100_000, "is_chat_model": True, "is_function_calling_model": True}
    more = {"api_key": KEY, "max_retries": 0, "timeout": 30}
    yield "OpenAI", lambda: KnownOpenAI(model=model, api_base=f"{GATEWAY}/v1", **more)
    yield "OpenAIResponses", lambda: OpenAIResponses(model=model, api_base=f"{GATEWAY}/v1", context_window=100_000, **more)
    yield "Anthropic", lambda: KnownAnthropic(model=model, base_url=GATEWAY, max_tokens=500, **more)
    yield "GoogleGenAI", lambda: GoogleGenAI(
        model=model, api_key=KEY, context_window=100_000, max_tokens=500, is_function_calling_model=True, http_options={"base_url": GATEWAY}
    )


def metadata(model, name):
    from llama_index.core.base.llms.types import LLMMetadata

    return LLMMetadata(context_window=100_000, num_output=500, is_chat_model=True, is_function_calling_model=True, model_name=name)


class KnownOpenAI(OpenAI):
    @property
    def metadata(self):
        return metadata(self, self.model)


class KnownAnthropic(Anthropic):
    @property
    def metadata(self):
        return metadata(self, self.model)


def llama_turn(make, streams):
    called = []

    def get_weather(city: str) -> str:
        """The weather in a city."""
        called.append(city)
        return RESULT

    async def play():
        agent = FunctionAgent(tools=[FunctionTool.from_defaults(get_weather)], llm=make(), system_prompt="Be short.", streaming=streams)
        return str(await agent.run(USE))

    text = asyncio.run(play())
    assert called, "the tool was not called"
    assert RESULT in text, f"the result is not in {text!r}"


def scenarios():
    for provider in os.environ["WEIR_PROVIDERS"].split():
        for streams in (False, True):
            for name, model in langchain_models(f"via-{provider}"):
                yield f"LangChain {name}", provider, streams, lambda model=model, streams=streams: langchain_turn(model, streams)
            for name, make in llama_models(f"via-{provider}"):
                yield f"LlamaIndex {name}", provider, streams, lambda make=make, streams=streams: llama_turn(make, streams)


def main():
    logging.disable(logging.CRITICAL)
    passed = failed = 0
    for name, provider, streams, play in scenarios():
        try:
            play()
            passed += 1
        except Exception as error:  # frameworks throw errors of many kinds, and each is a verdict
            failed += 1
            if os.environ.get("WEIR_TRACE"):
                traceback.print_exc()
            how = "streamed" if streams else "whole"
            print(f"failed: {name}, {provider} provider, {how}: {type(error).__name__}: {' '.join(str(error).split())[:400]}", flush=True)
    print(f"test result: {'FAILED' if failed or not passed else 'ok'}. {passed} passed; {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
