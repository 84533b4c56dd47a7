//! One random stream: the clock, the envelope, and the choice of what comes next.

use super::books::{Account, Security};
use super::json::{Object, Value, render, text};
use super::rng::Rng;
use super::schema;
use super::swarm::{ACTS, Act, Swarm};
use super::time::{SECOND, instant, instant_text};

/// A stream of events as lines of text.
#[derive(Clone, Debug)]
pub struct Stream {
    /// What fixes the stream.
    pub seed: u64,
    /// NDJSON lines without their line feeds.
    pub lines: Vec<String>,
    /// The policy file that goes with it.
    pub policy: Option<String>,
}

impl Stream {
    /// The stream of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let swarm = Swarm::draw(&mut rng);
        Self::shaped(seed, rng, swarm)
    }

    /// The stream of a seed with tastes adjusted by the caller.
    pub fn with(seed: u64, adjust: impl FnOnce(&mut Swarm)) -> Self {
        let mut rng = Rng::new(seed);
        let mut swarm = Swarm::draw(&mut rng);
        adjust(&mut swarm);
        Self::shaped(seed, rng, swarm)
    }

    fn shaped(seed: u64, rng: Rng, swarm: Swarm) -> Self {
        let mut generator = Generator::new(rng, swarm);
        generator.run();
        Self { seed, lines: generator.lines, policy: generator.policy_file }
    }

    /// The file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        join(&self.lines)
    }
}

/// Lines as the bytes of a file.
pub fn join<S: AsRef<str>>(lines: &[S]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        out.extend_from_slice(line.as_ref().as_bytes());
        out.push(b'\n');
    }
    out
}

/// A feed of events with ids, or numbers, of its own.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub name: String,
    pub numbered: bool,
    pub sequence: i64,
    pub serial: u64,
}

/// An event that went out as it was meant.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// `source/id`, the name of a contract a nameless fill opens.
    pub name: String,
}

/// A corporate action that waits for its ex-date.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub security: usize,
    pub ex_date: i64,
    pub kind: &'static str,
    /// Amount per share or ratio, in units of 1/10^8.
    pub figure: i64,
    /// Price of a right in units.
    pub price: i64,
}

/// All the generator keeps while it writes a stream.
pub(super) struct Generator {
    pub rng: Rng,
    pub swarm: Swarm,
    pub lines: Vec<String>,
    pub policy_file: Option<String>,
    pub now: i64,
    /// The market day the stream is in.
    pub day: i64,
    pub started: Option<i64>,
    pub ended: Option<i64>,
    pub accrued_through: i64,
    pub sources: Vec<Source>,
    pub securities: Vec<Security>,
    pub accounts: Vec<Account>,
    pub pending: Vec<Pending>,
    /// Lines some policy of this stream set, in units of 1/10 000.
    pub policy_lines: Vec<i64>,
    pub year_days: i64,
    pub versions: u64,
    pub index_at: Option<i64>,
}

impl Generator {
    fn new(mut rng: Rng, swarm: Swarm) -> Self {
        let day = swarm.first_day;
        let names: &[(&str, bool)] = if swarm.unicode {
            &[("柜台", false), ("行情/α", false), ("序号🦀", true)]
        } else {
            &[("desk", false), ("feedA", false), ("numbered", true), ("desk/2", false)]
        };
        let sources = names
            .iter()
            .map(|(name, numbered)| Source {
                name: (*name).to_owned(),
                numbered: *numbered,
                sequence: rng.range(0, 5),
                serial: 0,
            })
            .collect();
        Self {
            now: instant(day, 8 * 3600 * SECOND + rng.range(0, 3600 * SECOND)),
            rng,
            swarm,
            lines: Vec::new(),
            policy_file: None,
            day,
            started: None,
            ended: None,
            accrued_through: day - 1,
            sources,
            securities: Vec::new(),
            accounts: Vec::new(),
            pending: Vec::new(),
            policy_lines: Vec::new(),
            year_days: 360,
            versions: 0,
            index_at: None,
        }
    }

    fn run(&mut self) {
        if self.swarm.policy_file {
            self.first_policy();
        }
        self.found_market();
        self.found_accounts();
        for _ in 0..self.swarm.steps {
            self.pass_time();
            let act = ACTS[self.rng.weighted(&self.swarm.weights)].0;
            self.act(act);
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Quote => self.quote(),
            Act::SteerQuote => self.steer_quote(),
            Act::Index => self.index(),
            Act::Mark => self.manual_mark(),
            Act::CorporateAction => self.corporate_action(),
            Act::Security => self.security_record(),
            Act::Account => self.account_record(),
            Act::Lines => self.own_lines(),
            Act::Opening => self.opening(),
            Act::TargetOpening => self.target_opening(),
            Act::Cash => self.cash(),
            Act::SteerCash => self.steer_cash(),
            Act::Transfer => self.transfer(),
            Act::Fill => self.fill(),
            Act::Repay => self.repay(),
            Act::Interest => self.interest(),
            Act::Extend => self.extend(),
            Act::Order => self.order(),
            Act::OtherCollateral => self.other_collateral(),
            Act::Clock => self.clock(),
            Act::Policy => self.policy(),
            Act::Rules => self.rules(),
            Act::Calendar => self.calendar(),
            Act::Duplicate => self.duplicate(),
            Act::Fault => self.fault(),
            Act::NextDay => self.next_day(),
        }
    }

    fn pass_time(&mut self) {
        if self.rng.chance(self.swarm.same_instant) {
            return;
        }
        let step = match self.rng.below(6) {
            0 => 1,
            1 => 1000,
            2 => 3 * SECOND,
            3 => self.rng.range(1, SECOND),
            _ => self.rng.range(SECOND, 300 * SECOND),
        };
        self.now += step;
    }

    /// The instant of the next event: now, or a little earlier in a stream with late ones.
    pub fn event_time(&mut self) -> i64 {
        if self.swarm.late > 0 && self.rng.chance(self.swarm.late) {
            let back = *self.rng.pick(&[1, 1000, SECOND, 3600 * SECOND, 90_000 * SECOND]);
            return self.now - back;
        }
        self.now
    }

    /// An instant in one of the ways in which it can be written.
    pub fn time_value(&mut self, at: i64) -> Value {
        let offset = *self.rng.pick(&[480, 480, 480, 480, 0, 0, -300, 330]);
        let decimals = *self.rng.pick(&[3, 3, 0, 6]);
        text(instant_text(at, offset, decimals))
    }

    /// An event with its envelope, and the name it would have.
    pub fn envelope(&mut self, kind: &str, at: i64, body: Object) -> (Object, String) {
        let place = self.rng.below(self.sources.len());
        let numbered = self.sources[place].numbered && self.rng.chance(900);
        let gap = if self.rng.chance(60) { self.rng.range(2, 4) } else { 1 };
        let source = &mut self.sources[place];
        source.serial += 1;
        let id = format!("e{}", source.serial);
        let name = source.name.clone();
        let mut event = Object::from([
            ("v", Value::Int(1)),
            ("type", text(kind)),
            ("id", text(id.clone())),
            ("source", text(name.clone())),
        ]);
        if numbered && kind != "quote" && kind != "index" {
            source.sequence += gap;
            event.set("source_seq", Value::Int(i128::from(source.sequence)));
        }
        event.set("at", self.time_value(at));
        event.0.extend(body.0);
        (event, format!("{name}/{id}"))
    }

    /// Writes an event. Nothing comes back where a fault was put into it.
    pub fn send<const N: usize>(&mut self, kind: &str, body: [(&str, Value); N]) -> Option<Sent> {
        self.send_object(kind, Object::from(body))
    }

    /// Writes an event with any number of fields.
    pub fn send_object(&mut self, kind: &str, body: Object) -> Option<Sent> {
        let at = self.event_time();
        self.send_at(kind, at, body)
    }

    /// Writes an event of an instant of its own.
    pub fn send_at(&mut self, kind: &str, at: i64, body: Object) -> Option<Sent> {
        let (mut event, name) = self.envelope(kind, at, body);
        let optional = schema::fields(kind).map_or(&[][..], |fields| fields.optional);
        if !optional.is_empty() && self.rng.chance(60) {
            let field = *self.rng.pick(optional);
            if event.get(field).is_none() {
                event.set(field, Value::Null);
            }
        }
        let spoilt = self.swarm.faults > 0 && self.rng.chance(self.swarm.faults);
        if spoilt {
            self.spoil(kind, &mut event);
        }
        self.write(&event);
        (!spoilt).then_some(Sent { name })
    }

    /// Writes an object as a line.
    pub fn write(&mut self, event: &Object) {
        let line = render(event, &self.swarm.style, &mut self.rng);
        self.lines.push(line);
    }

    /// An account that has a record; nothing where none has.
    pub fn some_account(&mut self) -> Option<usize> {
        let known = self.accounts.iter().filter(|a| a.known).count();
        let at = self.rng.below(known);
        self.accounts.iter().enumerate().filter(|(_, a)| a.known).nth(at).map(|(i, _)| i)
    }

    /// An account with debts; any other where none was found.
    pub fn some_debtor(&mut self) -> Option<usize> {
        for _ in 0..6 {
            let account = self.some_account()?;
            if !self.accounts[account].contracts.is_empty() {
                return Some(account);
            }
        }
        self.some_account()
    }

    /// A security that has a record; nothing where none has.
    pub fn some_security(&mut self) -> Option<usize> {
        let known = self.securities.iter().filter(|s| s.known).count();
        let at = self.rng.below(known);
        self.securities.iter().enumerate().filter(|(_, s)| s.known).nth(at).map(|(i, _)| i)
    }

    /// A line some account may be tested at, with or without a recovery band, in units of 1/10 000.
    pub fn some_line(&mut self, account: usize) -> i64 {
        const USUAL: [i64; 9] = [30_000, 18_000, 15_000, 14_000, 13_000, 11_500, 10_000, 10_000, 11_500];
        let own = &self.accounts[account].lines;
        let line = match self.rng.below(4) {
            0 if !own.is_empty() => *self.rng.pick(own),
            1 if !self.policy_lines.is_empty() => *self.rng.pick(&self.policy_lines),
            _ => *self.rng.pick(&USUAL),
        };
        line + *self.rng.pick(&[0, 0, 0, 0, 200, 200, 100])
    }
}
