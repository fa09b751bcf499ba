//! What time it is by the times of events, decision for decision as `streamer/engine/event_clock.py` has it.

const CONFIRM: i64 = 3;
const DOUBT: i64 = 64;
const DOUBT_MAX: i64 = 4096;
const WEIGHT: i64 = 3;
const CONTRARY: i64 = 8;
const SETTLED: i64 = 256;
const GAPS: i64 = 32;
const FIRST_MS: i64 = 1;

#[derive(Clone, Copy, PartialEq)]
pub enum Verdict {
    Timely,
    Untimely,
    Late,
}

/// The fields in the order of `STATE`.
#[derive(Clone, Copy, Default)]
pub struct EventClock {
    pub time_ms: i64,
    pub now_ms: i64,
    ahead: i64,
    needed: i64,
    gaps_ms: i64,
    before_ms: i64,
    contrary: i64,
    last_ms: i64,
    doubted: i64,
    moved: i64,
}

impl EventClock {
    pub fn new(time_ms: i64, known: bool) -> Self {
        let (before_ms, moved) = if known { (0, 0) } else { (FIRST_MS, 1) };
        EventClock { time_ms, now_ms: time_ms, needed: CONFIRM, before_ms, moved, ..Default::default() }
    }

    #[inline]
    pub fn hear(&mut self, time_ms: i64, lateness_ms: i64, ahead_ms: i64) -> (Verdict, i64) {
        let bound_ms = ahead_ms.max(self.gaps_ms);
        if time_ms > self.time_ms.saturating_add(bound_ms) {
            if !self.believed(time_ms, ahead_ms) {
                return (Verdict::Untimely, 0);
            }
        } else if time_ms < self.time_ms.saturating_sub(lateness_ms) {
            let follows = self.before_ms.saturating_sub(lateness_ms) <= time_ms;
            if self.before_ms == 0 || !follows || time_ms >= self.time_ms.saturating_sub(ahead_ms) {
                return (Verdict::Late, 0);
            }
            return (Verdict::Untimely, self.against(time_ms));
        }
        let wrong = if self.ahead != 0 || self.before_ms != 0 { self.agrees() } else { 0 };
        if time_ms > self.time_ms {
            self.gaps_ms += time_ms - self.time_ms;
            self.time_ms = time_ms;
        }
        self.gaps_ms -= self.gaps_ms / GAPS;
        self.now_ms = self.now_ms.max(self.time_ms);
        let timely = time_ms >= self.now_ms.saturating_sub(lateness_ms);
        (if timely { Verdict::Timely } else { Verdict::Untimely }, wrong)
    }

    fn believed(&mut self, time_ms: i64, ahead_ms: i64) -> bool {
        self.ahead += 1;
        self.doubted += 1;
        let last_ms = std::mem::replace(&mut self.last_ms, time_ms);
        if self.ahead < self.needed {
            return false;
        }
        (self.before_ms, self.contrary) = (self.time_ms, 0);
        self.time_ms = time_ms.min(last_ms);
        self.gaps_ms += (time_ms - last_ms).abs().min(self.time_ms - self.before_ms);
        self.now_ms = self.now_ms.max(self.time_ms);
        let believed = time_ms <= self.time_ms.saturating_add(ahead_ms.max(self.gaps_ms));
        (self.ahead, self.moved, self.doubted) = (0, self.doubted - i64::from(believed), 0);
        self.needed = CONFIRM.max(self.needed / 2);
        believed
    }

    fn agrees(&mut self) -> i64 {
        let mut wrong = 0;
        if self.ahead > 0 {
            self.ahead = (self.ahead - WEIGHT).max(0);
            if self.ahead == 0 {
                (wrong, self.doubted, self.needed) = (self.doubted, 0, self.needed.max(DOUBT));
            }
        }
        if self.before_ms != 0 {
            (self.contrary, self.moved) = (self.contrary - 1, self.moved + 1);
            if self.contrary <= -SETTLED {
                (self.before_ms, self.contrary, self.moved) = (0, 0, 0);
            }
        }
        wrong
    }

    fn against(&mut self, time_ms: i64) -> i64 {
        (self.before_ms, self.contrary) = (self.before_ms.max(time_ms), self.contrary + 1);
        if self.contrary < CONTRARY {
            return 0;
        }
        let wrong = self.doubted + self.moved;
        (self.time_ms, self.before_ms, self.contrary, self.ahead) = (self.before_ms, 0, 0, 0);
        (self.doubted, self.moved) = (0, 0);
        self.needed = (2 * self.needed.max(DOUBT)).min(DOUBT_MAX);
        wrong
    }

    pub fn dump(&self) -> Vec<i64> {
        let first = [self.time_ms, self.now_ms, self.ahead, self.needed, self.gaps_ms];
        [first, [self.before_ms, self.contrary, self.last_ms, self.doubted, self.moved]].concat()
    }

    /// None for what is no state.
    pub fn load(state: &[i64]) -> Option<Self> {
        let &[time_ms, now_ms, ahead, needed, gaps_ms, before_ms, contrary, last_ms, doubted, moved] = state else {
            return None;
        };
        Some(EventClock { time_ms, now_ms, ahead, needed, gaps_ms, before_ms, contrary, last_ms, doubted, moved })
    }
}
