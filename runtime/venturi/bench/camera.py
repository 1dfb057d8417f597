"""The camera scenario: frames come at a fixed rate, whether the model is ready or not.

The newest frame waits for the model; one that is replaced while it waits is dropped. Latency runs
from the moment at which a frame was due, so a late start counts (an open loop: no coordinated
omission). Age is how old the newest finished frame is when the next one replaces it, which is what
a viewer sees.
"""

from venturi.bench.clock import MILLISECOND, SECOND, Clock
from venturi.bench.percentiles import summary
from venturi.bench.scenarios import Call, Limits, Outcome


def camera(call: Call, clock: Clock, limits: Limits, *, fps: float) -> Outcome:
    """Run on the frames of a camera until ``limits`` are reached.

    Args:
        call: takes the number of the frame.
        clock: also says when frames are due.
        limits: its samples are finished frames.
        fps: frames per second, above 0.
    """
    period = SECOND / fps
    latency, age = list[float](), list[float]()
    start = end = clock.now()
    frame, shown_due = 0, None
    while not limits.reached(end - start, len(latency)):
        frame = max(frame, int((end - start) // period))
        due = start + round(frame * period)
        clock.sleep_until(due)
        call(frame)
        end = clock.now()
        latency.append((end - due) / MILLISECOND)
        if shown_due is not None:
            age.append((end - shown_due) / MILLISECOND)
        shown_due = due
        frame += 1
    load = {
        "fps": fps,
        "frames": frame,
        "dropped": frame - len(latency),
        "age_ms": summary(age) if age else None,
    }
    return Outcome(latency, len(latency), (end - start) / SECOND, load)
