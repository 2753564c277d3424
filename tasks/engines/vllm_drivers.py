"""Two ways to run vLLM: inside this process, or in processes of its own.

`HostDriver` steps vLLM's synchronous engine from the event loop, in this process and thread: it
starts in seconds, where vLLM's own processes take half a minute, each importing torch again. It is
not stepped by a second thread: on a CPU, torch releases the interpreter's lock thousands of times a
second, and a Python thread waiting for that lock delays every forward pass.
`OwnDriver` is vLLM's AsyncLLM: on a GPU the work of the CPU then overlaps with the device's.

Both take token ids and vLLM's own parameters and return vLLM's own outputs.
"""

import asyncio
import gc
import itertools
import threading
import warnings
import weakref
from collections.abc import Coroutine
from functools import partial
from typing import Any, Protocol

from schemas.engines import VLLMConfig
from schemas.errors import EngineFailed, ModelUnusable, RequestRejected
from schemas.rows import ModelRole
from tasks.engines.vllm_arguments import (
    adapter_arguments,
    engine_arguments,
    further_arguments,
    is_cpu_build,
    prepare_environment,
    refusals,
    verifier_arguments,
)
from tasks.verifiers.families import Verifier

_TURNS_AFTER_OUTPUT = 4
"""Turns of the event loop between a step that finished requests and the next: a coroutine needs
about three from its result to its next request, which should be in the next batch."""


_computing = threading.Lock()
"""Held while an engine of this process computes, since vLLM keeps the batch that it works on in
global variables, and several pools may have engines on threads of their own."""


class Driver(Protocol):
    """Runs requests on one vLLM engine; many may be in flight."""

    max_model_len: int

    def submit(self, token_ids: list[int], params: Any) -> asyncio.Future[Any]:
        """Begin one request; the future holds vLLM's final output for it.

        Raises:
            RequestRejected: vLLM refuses the request; so may the future.
            EngineFailed: the engine is gone; so may the future.
        """
        ...

    async def reload(self, folder: str) -> None:
        """Read other weights into the running model, and drop everything cached with the old ones.

        Raises:
            ValueError: requests are in flight.
            EngineFailed: the engine is gone, or could not read the weights.
        """
        ...

    async def close(self) -> None:
        """Free the model; requests in flight fail with EngineFailed."""
        ...


class HostDriver:
    """vLLM's engine in this process, stepped between turns of the event loop."""

    def __init__(self, arguments: dict[str, Any], lora: Any = None) -> None:
        from vllm import EngineArgs
        from vllm.usage.usage_lib import UsageContext
        from vllm.v1.engine.llm_engine import LLMEngine
        from vllm.v1.executor import Executor

        config = EngineArgs(**arguments).create_engine_config(UsageContext.LLM_CLASS)
        self.max_model_len: int = config.model_config.max_model_len
        with _computing:
            self._engine = LLMEngine(
                config, Executor.get_class(config), log_stats=False, multiprocess_mode=False
            )
            if lora is not None:
                self._engine.add_lora(lora)
        self._lora = lora
        self._ids = map(str, itertools.count())
        self._pending: dict[str, asyncio.Future[Any]] = {}
        self._stepping: asyncio.Task[None] | None = None
        self._failure: EngineFailed | None = None
        _host_drivers.add(self)

    def submit(self, token_ids: list[int], params: Any) -> asyncio.Future[Any]:
        """Begin one request (see Driver)."""
        if self._failure is not None:
            raise EngineFailed(str(self._failure)) from self._failure
        request_id = next(self._ids)
        try:
            self._engine.add_request(
                request_id, _prompt(token_ids), params, lora_request=self._lora
            )
        except refusals() as error:
            raise RequestRejected(f"vLLM refused the request: {error}") from error
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        future.add_done_callback(partial(self._forget_cancelled, request_id))
        self._pending[request_id] = future
        if self._stepping is None or self._stepping.done():
            self._stepping = loop.create_task(self._step_until_idle())
        return future

    async def reload(self, folder: str) -> None:
        """Read other weights (see Driver)."""
        if self._failure is not None:
            raise EngineFailed(str(self._failure)) from self._failure
        _check_idle(len(self._pending))
        try:
            with _computing:
                self._engine.collective_rpc("reload_weights", kwargs={"weights_path": folder})
                is_reset = self._engine.reset_prefix_cache()
        except Exception as error:
            self._fail(f"vLLM could not read the weights in {folder}: {error}", error)
            raise EngineFailed(str(self._failure)) from error
        _check_reset(is_reset)

    async def close(self) -> None:
        """Free the model (see Driver)."""
        if self._failure is None:
            self._fail("the engine was closed", None)
        if self._stepping is not None:
            self._stepping.cancel()
        if self in _host_drivers:
            _host_drivers.discard(self)
            with _computing:
                self._engine.engine_core.shutdown()
                del self._engine
                gc.collect()
                for driver in _host_drivers:
                    driver.rejoin()

    def rejoin(self) -> None:
        """Set up vLLM's process groups again after closing another engine here tore them down."""
        self._engine.collective_rpc(_init_process_groups)

    async def _step_until_idle(self) -> None:
        """Step the engine while requests are in flight, and hand out finished ones."""
        try:
            while self._pending:
                if not self._engine.has_unfinished_requests():
                    raise RuntimeError(f"vLLM lost {len(self._pending)} requests")
                with _computing:
                    finished = self._engine.step()
                for output in finished:
                    future = self._pending.pop(output.request_id, None)
                    if future is not None and not future.done():
                        future.set_result(output)
                for _ in range(_TURNS_AFTER_OUTPUT if finished else 1):
                    await asyncio.sleep(0)
        except Exception as error:
            self._fail(f"vLLM failed in a step: {type(error).__name__}: {error}", error)

    def _fail(self, message: str, cause: Exception | None) -> None:
        """Fail every request in flight, and every later one."""
        self._failure = EngineFailed(message)
        self._failure.__cause__ = cause
        pending, self._pending = self._pending, {}
        for future in pending.values():
            if not future.done():
                future.set_exception(self._failure)

    def _forget_cancelled(self, request_id: str, future: asyncio.Future[Any]) -> None:
        """Stop vLLM from working on a request that was cancelled."""
        if future.cancelled() and self._pending.pop(request_id, None) is not None:
            self._engine.abort_request([request_id])


_LOOK_EVERY_S = 1.0
"""How often an engine in a process of its own is checked while requests are in flight."""


class OwnDriver:
    """vLLM's AsyncLLM: the engine in processes of its own."""

    def __init__(self, arguments: dict[str, Any], lora: Any = None) -> None:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.usage.usage_lib import UsageContext
        from vllm.v1.engine.async_llm import AsyncLLM

        self._engine = AsyncLLM.from_engine_args(
            AsyncEngineArgs(**arguments), usage_context=UsageContext.LLM_CLASS
        )
        self.max_model_len: int = self._engine.model_config.max_model_len
        self._lora = lora
        self._ids = map(str, itertools.count())
        self._tasks: set[asyncio.Task[Any]] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._is_dead = False
        self._closed = False

    def submit(self, token_ids: list[int], params: Any) -> asyncio.Future[Any]:
        """Begin one request (see Driver)."""
        if self._closed:
            raise EngineFailed("the engine was closed")
        return self._begin(self._run(token_ids, params))

    def _begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start work in the engine's process, with a watch on that process."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._watcher is None or self._watcher.done():
            self._watcher = loop.create_task(self._watch())
        return task

    async def _watch(self) -> None:
        """Fail the requests in flight once the engine's process is gone.

        vLLM notices the death on a thread, and may never notify requests waiting at that moment.
        """
        while self._tasks:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self._engine.errored:
                self._is_dead = True
                for task in list(self._tasks):
                    task.cancel()

    async def reload(self, folder: str) -> None:
        """Read other weights (see Driver)."""
        if self._closed:
            raise EngineFailed("the engine was closed")
        _check_idle(len(self._tasks))
        await self._begin(self._reload(folder))

    async def _reload(self, folder: str) -> None:
        try:
            await self._engine.collective_rpc("reload_weights", kwargs={"weights_path": folder})
            is_reset = await self._engine.reset_prefix_cache()
        except asyncio.CancelledError as error:
            if not self._is_dead:
                raise
            raise EngineFailed("vLLM's engine process died") from error
        except Exception as error:
            raise EngineFailed(f"vLLM could not read the weights in {folder}: {error}") from error
        _check_reset(is_reset)

    async def close(self) -> None:
        """Free the model (see Driver)."""
        self._closed = True
        self._engine.shutdown()
        _close_sockets(self._engine)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, token_ids: list[int], params: Any) -> Any:
        """The final output of one request."""
        from vllm import SamplingParams
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        is_generation = isinstance(params, SamplingParams)
        begin: Any = self._engine.generate if is_generation else self._engine.encode
        if self._lora is not None:
            begin = partial(begin, lora_request=self._lora)
        last = None
        try:
            async for output in begin(_prompt(token_ids), params, next(self._ids)):
                last = output
        except asyncio.CancelledError as error:
            if not self._is_dead:
                raise
            raise EngineFailed("vLLM's engine process died") from error
        except EngineDeadError as error:
            raise EngineFailed(f"vLLM's engine process died: {error}") from error
        except EngineGenerateError as error:
            cause = error.__cause__ or error
            if self._engine.errored or self._closed:
                raise EngineFailed(f"vLLM's engine process failed: {cause}") from error
            raise RequestRejected(f"vLLM failed on the request: {cause!r}") from error
        except refusals() as error:
            raise RequestRejected(f"vLLM refused the request: {error}") from error
        if last is None:
            raise EngineFailed("vLLM ended a request without an output")
        return last


_host_drivers: weakref.WeakSet[HostDriver] = weakref.WeakSet()
"""Engines that share this process, and so vLLM's process groups."""


def open_driver(
    config: VLLMConfig, model: str, role: ModelRole, verifier: Verifier | None = None
) -> Driver:
    """Load a model folder into vLLM; this blocks the event loop for seconds.

    Raises:
        ModelUnusable: vLLM cannot serve this model with this config.
    """
    prepare_environment()
    arguments = engine_arguments(config, model, role)
    lora = None
    if config.lora is not None:
        lora, needed = adapter_arguments(config.lora)
        arguments |= needed
    if verifier is not None:
        arguments |= verifier_arguments(verifier)
    arguments |= further_arguments(config, arguments)
    own = config.process == "own" or (config.process == "auto" and not is_cpu_build())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # vLLM's own, about torch
            return OwnDriver(arguments, lora) if own else HostDriver(arguments, lora)
    except refusals(starting=True) as error:
        raise ModelUnusable(f"{role} {model}: vLLM cannot serve it: {error}") from error


def _close_sockets(engine: Any) -> None:
    """Close what is left of an engine's sockets, whose process may have died.

    On noticing the death vLLM has the event loop close them, at a turn that may never come; this
    process would then hang as soon as ZeroMQ's context is collected.
    """
    from zmq import Socket

    resources = getattr(engine.engine_core, "resources", None)
    for each in () if resources is None else vars(resources).values():
        if isinstance(each, Socket):
            each.close(linger=0)


def _check_idle(num_in_flight: int) -> None:
    if num_in_flight:
        raise ValueError(f"expected no requests while weights change, {num_in_flight} in flight")


def _check_reset(is_reset: bool) -> None:
    if not is_reset:
        raise EngineFailed("vLLM did not drop what was cached with the old weights")


def _prompt(token_ids: list[int]) -> Any:
    """Token ids in the form that vLLM takes without processing them again."""
    return {"type": "token", "prompt_token_ids": token_ids}


def _init_process_groups(worker: Any) -> None:
    """Set up vLLM's process groups (of one process) as the worker did when it started."""
    from vllm.config import set_current_vllm_config
    from vllm.platforms import current_platform
    from vllm.utils.network_utils import get_distributed_init_method, get_open_port
    from vllm.v1.worker.gpu_worker import init_worker_distributed_environment

    with set_current_vllm_config(worker.vllm_config):
        init_worker_distributed_environment(
            worker.vllm_config,
            worker.rank,
            get_distributed_init_method("127.0.0.1", get_open_port()),
            worker.local_rank,
            current_platform.dist_backend,
        )
