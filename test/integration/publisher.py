"""A publisher that keeps what was acknowledged to it, for tests that kill the bus under it."""
import random
import threading
import time

import link_client as link
import log_reader

HOUR_NS = 3600 * 10**9
BYTES_PER_S = 600_000


class Publisher(threading.Thread):
    """Publishes one lane from memory, several at a time, and keeps what the bus has acknowledged. Its clock jumps."""

    def __init__(self, address, identity, seed):
        super().__init__(daemon=True)
        self.address, self.identity, self.random = address, identity, random.Random(seed)
        self.lane = link.Lane(identity, "py")
        self.acknowledged, self.window = {}, []  # {sequence: digest}, [(sequence, stored)] not yet acknowledged
        self.done, self.refused_clock, self.sessions, self.error = threading.Event(), 0, 0, None
        self.committed = 0

    def run(self):
        while not self.done.is_set():
            try:
                with link.Session(self.address, self.identity) as session:
                    session.socket.settimeout(5)
                    self.session(session)
            except (OSError, link.Closed):
                time.sleep(0.05)
            except BaseException as error:  # shown by the test
                self.error = error
                return

    def session(self, session):
        welcome = session.hello(self.lane)
        if not hasattr(welcome, "window"):
            return
        self.sessions += 1
        committed = welcome.committed_sequence if welcome.committed_epoch == self.lane.epoch else 0
        highest = max(self.acknowledged, default=0)
        if committed < highest:
            raise AssertionError(f"the bus has lost what it acknowledged: {committed} < {highest}")
        self.committed = committed
        while self.window and self.window[0][0] <= committed:  # stored, but the answer was lost
            self.acknowledge(*self.window.pop(0))
        while not self.done.is_set():
            if not self.window:
                self.make(self.random.randint(1, 12))
            if self.random.random() < 0.02:
                self.try_a_clock_far_ahead(session)
            self.exchange(session)

    def make(self, count):
        for _ in range(count):
            shift_ns = self.random.choice((0, 0, 0, 200 * 10**9, HOUR_NS, -HOUR_NS, -365 * 24 * HOUR_NS))
            stored = self.lane.next(value=float(self.lane.sequence), padding=self.random.choice((0, 200, 5000, 30_000)),
                                    ts_ns=time.time_ns() + shift_ns)
            self.lane.sent(stored)
            self.window.append((self.lane.sequence, stored))

    def exchange(self, session):
        """Sends the window, reads the answers; what was not taken is sent again."""
        self.done.wait(sum(len(stored) for _, stored in self.window) / BYTES_PER_S)  # the disk is not large
        begin = session.last_id + 1
        for _, stored in self.window:
            frame = link.proto("bus").Frame()
            session.last_id += 1
            frame.request_id = session.last_id
            frame.publish.envelope = stored
            session.send(frame)
        answered, refused = {}, False
        while len(answered) < len(self.window):
            frame = session.receive()
            kind = frame.WhichOneof("body")
            if kind == "error":
                raise link.Closed(frame.error.reason)
            if kind == "ping":
                answer = link.proto("bus").Frame()
                answer.request_id = frame.request_id
                answer.pong.SetInParent()
                session.send(answer)
            if kind != "ack":
                continue
            ids = (range(frame.ack.first_request_id, frame.ack.last_request_id + 1) if frame.ack.last_request_id
                   else [frame.request_id])
            for number in ids:
                answered[number - begin] = frame.ack.ack
        for at, (sequence, stored) in enumerate(list(self.window)):
            status = answered[at].status
            if status == link.OK and not refused:
                self.acknowledge(sequence, stored)
                self.window.pop(0)
            elif status in (link.INVALID, link.SECURITY_VIOLATION):
                raise AssertionError(f"refused: {answered[at]}")
            else:
                refused = True
        if refused:
            time.sleep(0.05)

    def check_stored(self, lanes):
        """`lanes` of log_reader: what was acknowledged is there as it was sent."""
        stored = lanes[(self.identity.name, self.lane.name)]
        missing = [sequence for sequence, digest in self.acknowledged.items()
                   if stored.get((self.lane.epoch, sequence)) != digest]
        assert not missing, f"{self.identity.name}: acknowledged, but not in the log: {missing[:10]} of {len(self.acknowledged)}"

    def acknowledge(self, sequence, stored):
        self.acknowledged[sequence] = log_reader.digest_of(stored)

    def try_a_clock_far_ahead(self, session):
        """25 h ahead is refused, and the same sequence is free for the right time. Only where nothing is on its way."""
        if self.window[0][0] != self.committed_or_acknowledged() + 1:
            return
        sequence, head = self.window[0][0] - 1, self.lane.head
        lane = link.Lane(self.identity, "py", epoch=self.lane.epoch)
        lane.sequence, lane.head = sequence, link.universal().FromString(self.window[0][1]).prev_sig
        ack = session.publish(lane.next(ts_ns=time.time_ns() + 30 * HOUR_NS)).ack
        if ack.status == link.INVALID:
            assert "ahead of the bus" in ack.reason, ack
            self.refused_clock += 1
        else:
            assert ack.status != link.OK, "an envelope of tomorrow was taken"
        assert self.lane.head == head

    def committed_or_acknowledged(self):
        return max(max(self.acknowledged, default=0), self.committed)
