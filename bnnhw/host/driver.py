"""Inference on a board: many frames in flight, lost and damaged packets sent again, at the fastest rate that works."""

from __future__ import annotations

import contextlib
import random
import time
from collections import deque
from collections.abc import Callable, Container
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnhw.errors import InputError, LinkError, NotLoadedError
from bnnhw.host.protocol import Packet, Parser, encode_packet, pack_frame, unpack_results
from bnnhw.host.serial_ports import Port
from bnnhw.line import BASE_BAUD, CALL_BACK
from bnnhw.packets import Identity, Request, Results, Status

NOISE_LIMIT = 1 << 18
"""Bytes without an answer among them after which the line is taken for dead: more than the longest packet."""

FAST_ATTEMPTS = 3
"""To go to the fast rate, before the line stays at the base rate."""

LOADING_SECONDS = 0.02
"""Before a board is asked again that is reading its flash."""

LOAD_ATTEMPTS = 4
"""To load the memories of a board, from the first byte of their image on."""


@dataclass
class Traffic:
    """What a driver went through: requests sent, those of them sent again, timeouts, and the line's rate."""

    requests: int = 0
    retries: int = 0
    silences: int = 0
    baud: int = BASE_BAUD


class Driver:
    """Speaks the link protocol over a port.

    Parameters
    ----------
    port
        Where the board is. Its `timeout` is set.
    timeout
        Seconds of silence after which a request or its answer is taken for lost. Longer than the board
        takes for one frame.
    silences
        After how many timeouts, with no result between them, to give up.
    attempts
        How often a frame is sent before giving up while others succeed.
    digest
        What the board's design must be: 8 bytes. Without it, any design will do.
    max_baud
        The fastest rate that the line may have; None for whatever board and port can do.

    Attributes
    ----------
    traffic : Traffic
        What happened so far.
    """

    def __init__(
        self,
        port: Port,
        *,
        timeout: float = 2.0,
        silences: int = 4,
        attempts: int = 32,
        digest: bytes | None = None,
        max_baud: int | None = None,
    ) -> None:
        self._port = port
        self._max_baud = max_baud
        port.timeout = timeout
        self.traffic = Traffic()
        self._timeout = timeout
        self._silences = silences
        self._attempts = attempts
        self._digest = digest
        self._parser = Parser()
        self._prefix = b""  # of the next request
        self._identity: Identity | None = None
        # Answers to requests of an earlier program may still be on their way: do not start where it did.
        self._sequence = random.randrange(256)

    def identify(self) -> Identity:
        """What the board says about its design; asked once.

        Raises
        ------
        LinkError
            If there is no answer, or the design is another one than `digest`.
        """
        if self._identity is not None:
            return self._identity
        problem = (
            f"no answer from the board, {self._silences} times within {self._timeout:g} s: "
            "check the port and its speed, and that the board is programmed with a design of bnnhw"
        )
        for _ in range(self._silences):
            self._call_back()
            try:
                identity = self._ask_identity()
            except ValueError as error:
                problem = str(error)  # another protocol, if it stays like this
            else:
                if identity is not None:
                    self._check_digest(identity.digest)
                    self._identity = identity
                    # Should that have been for an earlier program, its results follow: again, do not start where it
                    # did.
                    self._sequence = random.randrange(256)
                    self._go_fast(identity)
                    return identity
            self.traffic.retries += 1
        raise LinkError(problem)

    def infer(self, codes: NDArray[np.integer], progress: Callable[[int, int], None] | None = None) -> Results:
        """Runs frames on the board.

        Parameters
        ----------
        codes
            Storage codes of the inputs, as `DataType.encode` gives them: shape (N, elements) or (elements,) for one.
        progress
            Called with the frames done and N, after each answer.

        Raises
        ------
        InputError
            If a code does not have the bits of the board's inputs.
        NotLoadedError
            If memories of the board's design are not loaded, see `load`.
        LinkError
            If the frames are not of the board's size, or the board stops answering or refuses a frame time and again.
        """
        identity = self.identify()
        codes = np.atleast_2d(codes)
        if codes.ndim != 2 or codes.shape[1] != identity.input_elements:
            raise LinkError(
                f"the board's design takes frames of {identity.input_elements} elements, not {codes.shape[1:]}: "
                "program the board with the design of this model"
            )
        if codes.size and not 0 <= codes.min() <= codes.max() < 1 << identity.input_bits:
            raise InputError(f"inputs must be codes of {identity.input_bits} bits, not {codes.min()}..{codes.max()}")
        results = Results(
            np.zeros((len(codes), identity.output_elements), np.int64),
            np.zeros(len(codes), np.int64),
            np.zeros(len(codes), np.bool_),
        )
        done = silent = 0
        failures = [0] * len(codes)
        waiting = deque(range(len(codes)))
        in_flight: dict[int, list[int]] = {}  # sequence number: frames, in the order of sending
        loaded_by = time.monotonic() + self._silences * self._timeout

        def again(frames: list[int], reason: str) -> None:
            for frame in frames:
                failures[frame] += 1
                if failures[frame] >= self._attempts:
                    raise LinkError(f"frame {frame} failed {self._attempts} times, at last because {reason}")
            self.traffic.retries += 1
            waiting.extend(frames)

        while waiting or in_flight:
            while waiting and len(in_flight) < identity.depth:
                is_block = len(waiting) >= identity.block > 1
                frames = [waiting.popleft() for _ in range(identity.block if is_block else 1)]
                payload = b"".join(pack_frame(codes[frame], identity.input_bits) for frame in frames)
                in_flight[self._send(Request.INFER_BLOCK if is_block else Request.INFER, payload)] = frames
            packets = self._receive(in_flight)
            if not packets:
                silent += 1
                if silent == self._silences:
                    raise LinkError(
                        f"the board stopped answering, {silent} times within {self._timeout:g} s, with {done} of "
                        f"{len(codes)} frames done: check that it has power, and allow it more time if it is slow"
                    )
                self.traffic.retries += len(in_flight)
                for frames in in_flight.values():
                    waiting.extend(frames)
                in_flight.clear()
                self._recover(identity)
            for packet in packets:
                if packet.sequence not in in_flight:
                    continue  # given up meanwhile
                # Answers come in order: what was sent before this one and has no answer was lost.
                for sequence in list(in_flight):
                    frames = in_flight.pop(sequence)
                    if sequence == packet.sequence:
                        break
                    again(frames, "the board's answer was damaged")
                if packet.kind == Status.NOT_LOADED:
                    raise NotLoadedError(
                        "the board has found no weights of its design in its flash: program it again, or load them"
                    )
                if packet.kind == Status.LOADING and time.monotonic() < loaded_by:
                    waiting.extend(frames)
                    time.sleep(LOADING_SECONDS)
                    continue
                if packet.kind not in (Status.RESULT, Status.RESULT_BLOCK):
                    again(frames, f"the board answered {_name(packet.kind)}")
                    continue
                try:
                    integers, labels, errors = unpack_results(packet.payload, identity, len(frames))
                except ValueError as mismatch:
                    again(frames, f"the board's answer does not fit its identity: {mismatch}")
                    continue
                silent = 0
                results.integers[frames], results.labels[frames], results.errors[frames] = integers, labels, errors
                done += len(frames)
                if progress is not None:
                    progress(done, len(codes))
        return results

    def load(self, image: bytes, progress: Callable[[int, int], None] | None = None) -> None:
        """Loads the memories of the board's design that its bitstream does not hold, unless they are loaded.

        Parameters
        ----------
        image
            As `bnnhw.memory_image` makes it of this very design.
        progress
            Called with the bytes sent and their number, after each answer.

        Raises
        ------
        LinkError
            If the board does not take them. Whether they were of its design, the next `infer` tells.
        """
        identity = self.identify()
        size = identity.load_bytes
        pieces = [image[start : start + size].ljust(size, b"\0") for start in range(0, len(image), size)]
        problem = ""
        for _ in range(LOAD_ATTEMPTS):
            for k, piece in enumerate(pieces):
                answer = self._answer(Request.LOAD_MORE if k else Request.LOAD, piece)
                if answer is not None and answer.kind == Status.LOADED:
                    return
                if answer is None or answer.kind != Status.TAKEN:
                    problem = "it was silent" if answer is None else f"it answered {_name(answer.kind)}"
                    break
                if progress is not None:
                    progress(min(len(image), (k + 1) * size), len(image))
            else:
                return
            # What it has of the image is of no use: from the beginning again.
            self.traffic.retries += 1
        raise LinkError(f"the board did not take its weights in {LOAD_ATTEMPTS} attempts: at last {problem}")

    def _call_back(self) -> None:
        """Has both ends at the base rate: an earlier program, or a damaged line, may have left the board elsewhere."""
        self._set_baud(BASE_BAUD)
        self._prefix = CALL_BACK

    def _go_fast(self, identity: Identity) -> None:
        """Has both ends at the fast rate, if that works; at the base rate otherwise."""
        if identity.fast_baud == 0 or (self._max_baud is not None and identity.fast_baud > self._max_baud):
            return
        for _ in range(FAST_ATTEMPTS):
            if self._ask(Request.GO_FAST, Status.GOES_FAST) is not None:
                try:
                    self._set_baud(identity.fast_baud)
                except LinkError:
                    self._call_back()  # the port cannot do it
                    break
                with contextlib.suppress(ValueError):
                    if self._ask_identity() == identity:
                        return
            # The board may be fast, and not have been heard.
            self._call_back()
        self._max_baud = BASE_BAUD

    def _recover(self, identity: Identity) -> None:
        """After silence: a board that lost its power, or saw the line low for long, is at the base rate."""
        if identity.fast_baud == 0:
            return
        self._call_back()
        if self._max_baud == BASE_BAUD:
            return
        with contextlib.suppress(ValueError):
            if self._ask_identity() == identity:
                self._go_fast(identity)

    def _set_baud(self, baud: int) -> None:
        """Sets the port's rate.

        Raises
        ------
        LinkError
            If the port cannot have it.
        """
        try:
            if self._port.baudrate != baud:
                self._port.baudrate = baud
        except (OSError, ValueError) as error:
            raise LinkError(f"the port cannot have {baud:,} baud: {error}") from error
        self.traffic.baud = baud

    def _ask_identity(self) -> Identity | None:
        """The answer to one request; None after silence. Raises a ValueError if it is no identity."""
        answer = self._ask(Request.IDENTIFY, Status.IDENTITY)
        return None if answer is None else Identity.unpack(answer.payload)

    def _answer(self, request: Request, payload: bytes) -> Packet | None:
        """The answer to one request, whatever it is, once the board does not read its flash; None after silence."""
        loaded_by = time.monotonic() + self._silences * self._timeout
        while packets := self._receive({self._send(request, payload)}):
            if packets[0].kind != Status.LOADING or time.monotonic() > loaded_by:
                return packets[0]
            time.sleep(LOADING_SECONDS)
        return None

    def _ask(self, request: Request, status: Status) -> Packet | None:
        """The answer of a certain status to one request; None after silence."""
        sequence = self._send(request)
        # Others with this number are answers to an earlier program.
        while packets := self._receive({sequence}):
            for packet in packets:
                if packet.kind == status:
                    return packet
        return None

    def _check_digest(self, digest: bytes) -> None:
        if self._digest is not None and digest != self._digest:
            raise LinkError(
                f"the board runs another design ({digest.hex()}) than this one ({self._digest.hex()}): "
                "program the board first"
            )

    def _send(self, kind: Request, payload: bytes = b"") -> int:
        """Sends a request and returns its sequence number."""
        self._sequence = (self._sequence + 1) % 256
        self.traffic.requests += 1
        prefix, self._prefix = self._prefix, b""
        try:
            self._port.write(prefix + encode_packet(kind, self._sequence, payload))
        except OSError as error:
            raise LinkError(f"the port failed while sending: {error}") from error
        return self._sequence

    def _receive(self, asked: Container[int]) -> list[Packet]:
        """The next answers to the sequence numbers `asked`; none after silence, or after nothing but other bytes."""
        noise = 0
        while noise < NOISE_LIMIT:
            try:
                received = self._port.read(max(1, self._port.in_waiting))
            except OSError as error:
                raise LinkError(f"the port failed while receiving: {error}") from error
            if not received:
                break
            # Others are answers that were given up, or those to an earlier program.
            packets = [packet for packet in self._parser.feed(received) if packet.sequence in asked]
            if packets:
                return packets
            noise += len(received)
        self.traffic.silences += 1
        return []


def _name(kind: int) -> str:
    return Status(kind).name if kind in list(Status) else f"with a status it does not have ({kind:#04x})"
