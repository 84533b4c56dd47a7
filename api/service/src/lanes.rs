//! The threads of the lanes: the core knows none.

use plimsoll_engine::effect::Out;
use plimsoll_engine::{Exec, Lane, Sequential};
use plimsoll_wire::door::CutEpoch;
use plimsoll_wire::names::Names;
use plimsoll_wire::print;
use rayon::iter::{IntoParallelRefIterator, IntoParallelRefMutIterator, ParallelIterator};

/// Effects that one thread prints, before it is worth waking another.
const PRINTED_ALONE: usize = 512;

/// Runs lanes one after the other, or side by side on a pool.
pub enum Threads {
    /// One lane, or none to spare.
    One,
    /// As many threads as lanes.
    Pool(rayon::ThreadPool),
}

impl Threads {
    /// Threads for a number of lanes.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn new(lanes: usize) -> Result<Self, String> {
        if lanes <= 1 {
            return Ok(Threads::One);
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(lanes).build();
        pool.map(Threads::Pool).map_err(|cause| format!("cannot start {lanes} lanes: {cause}"))
    }

    /// The effects of an epoch as lines; many of them are printed by two threads.
    #[must_use]
    pub fn printed(&self, names: &Names, cut: &CutEpoch, answer: &Out) -> Vec<u8> {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let (count, half) = (answer.effects.len(), answer.effects.len() / 2);
        match self {
            Threads::Pool(pool) if count > PRINTED_ALONE => {
                pool.join(
                    || print::some_effects(&mut first, names, cut, answer, 0..half),
                    || print::some_effects(&mut second, names, cut, answer, half..count),
                );
                first.append(&mut second);
            }
            _ => print::effects(&mut first, names, cut, answer),
        }
        first
    }
}

impl Exec for Threads {
    fn run(&self, lanes: &mut [Lane], work: &(dyn Fn(&mut Lane) + Sync)) {
        match self {
            Threads::One => Sequential.run(lanes, work),
            Threads::Pool(pool) => pool.install(|| lanes.par_iter_mut().for_each(work)),
        }
    }

    fn ask<T: Send>(&self, lanes: &[Lane], work: &(dyn Fn(&Lane) -> T + Sync)) -> Vec<T> {
        match self {
            Threads::One => Sequential.ask(lanes, work),
            Threads::Pool(pool) => pool.install(|| lanes.par_iter().map(work).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_engine::effect::Effect;
    use plimsoll_engine::input::Code;
    use plimsoll_engine::num::Time;
    use plimsoll_wire::door::Door;

    use super::*;

    #[test]
    fn effects_are_the_same_lines_whoever_prints_them() {
        let mut door = Door::live(Names::default(), 1, Time(0));
        let most = PRINTED_ALONE + 2;
        for n in 0..most {
            let line = format!(
                r#"{{"v":1,"type":"cash","id":"c{n}","source":"s","at":"1970-01-01T08:00:00+08:00","account":"A","amount":"1","reason":"deposit"}}"#
            );
            assert_eq!(door.line(line.as_bytes()), Ok(None));
        }
        let cut = door.finish().expect("an epoch");
        let effect = |n| Effect::Refused { input: n, count: n + 1, code: Code::UnknownAccount, detail: "" };
        for count in [0, 1, PRINTED_ALONE - 1, PRINTED_ALONE, PRINTED_ALONE + 1, most] {
            let answer = Out { effects: (0..count as u32).map(effect).collect(), ..Out::default() };
            let mut lines = Vec::new();
            print::effects(&mut lines, door.names(), &cut, &answer);
            assert_eq!(lines.iter().filter(|&&byte| byte == b'\n').count(), count);
            for lanes in 1..=3 {
                let threads = Threads::new(lanes).expect("threads");
                assert!(threads.printed(door.names(), &cut, &answer) == lines, "{count} by {lanes}");
            }
        }
    }
}
