//! The state of the whole book and what one epoch does to it: timers, inputs in order, then every account from scratch.

use std::collections::{BTreeMap, HashSet, VecDeque};

use num_bigint::BigInt;
use num_traits::Zero;

use crate::account::{Account, Balance, InputRef};
use crate::actions::Action;
use crate::cause::{Happened, MarkChange, cause, input_text};
use crate::cutter::Line;
use crate::json::{Object, Value, quoted};
use crate::market::{Market, caps_in_force};
use crate::metrics::{Figures, Valuation, money_or_null, or_null, state_fields};
use crate::num::{line_text, ratio_text};
use crate::policy::{Lines, Policy};
use crate::tables::{ACTS, TIERS, Tables};
use crate::tiers;
use crate::time::{instant_text, local_date};
use crate::wire::{Envelope, Refusal, check, source_seq};

/// How many ids of a source are remembered.
const REMEMBERED: usize = 1 << 20;

/// What was seen of one source.
#[derive(Default)]
struct Seen {
    highest: Option<u64>,
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    fn remember(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

/// Everything that is kept from epoch to epoch.
pub struct Engine {
    pub tables: Tables,
    pub policy: Policy,
    pub market: Market,
    pub accounts: Vec<Account>,
    pub by_name: BTreeMap<String, usize>,
    pub clock: Option<i64>,
    pub seq: u64,
    pub last_day_start: Option<i64>,
    pub last_day_end: Option<i64>,
    pub pending: Vec<Action>,
    /// Time of the last accepted quote or index level by type, source and name.
    pub accepted_at: BTreeMap<(String, String, String), i64>,
    seen: BTreeMap<String, Seen>,
    counters: BTreeMap<String, u64>,
    /// Marks as they stand now.
    marks: Vec<Option<BigInt>>,
    /// Of the epoch under way.
    pub happened: Happened,
    pub settlement: bool,
    n: u64,
    pub effects: String,
    pub trace: Option<String>,
}

/// The input being applied.
pub struct Input<'a> {
    pub envelope: &'a Envelope,
    pub object: &'a Object,
    /// Its place in the epoch.
    pub order: usize,
}

impl Input<'_> {
    pub fn reference(&self) -> InputRef {
        InputRef { source: Some(self.envelope.source.clone()), id: Some(self.envelope.id.clone()) }
    }
}

impl Engine {
    pub fn new(tables: Tables, policy: Policy, trace: bool) -> Engine {
        Engine {
            tables,
            policy,
            market: Market::default(),
            accounts: Vec::new(),
            by_name: BTreeMap::new(),
            clock: None,
            seq: 0,
            last_day_start: None,
            last_day_end: None,
            pending: Vec::new(),
            accepted_at: BTreeMap::new(),
            seen: BTreeMap::new(),
            counters: BTreeMap::new(),
            marks: Vec::new(),
            happened: Happened::default(),
            settlement: false,
            n: 0,
            effects: String::new(),
            trace: trace.then(String::new),
        }
    }

    /// Runs one epoch.
    pub fn epoch(&mut self, lines: &[Line]) {
        self.seq += 1;
        self.n = 0;
        self.settlement = false;
        self.clock = self.clock.max(lines.iter().filter_map(|l| l.envelope.as_ref().map(|e| e.at)).max());
        self.happened = Happened { marks_before: self.marks.clone(), ..Happened::default() };
        self.fire_timers();
        self.marks = self.all_marks();
        for (order, line) in lines.iter().enumerate() {
            self.take(line, order);
        }
        self.decide();
    }

    pub fn now(&self) -> i64 {
        self.clock.unwrap_or(0)
    }

    /// The later of the clock's date and the date of the last `day_start`.
    pub fn today(&self) -> i64 {
        let date = local_date(self.now());
        self.last_day_start.map_or(date, |day| day.max(date))
    }

    /// Lines whose date has come take their place.
    fn fire_timers(&mut self) {
        let today = local_date(self.now());
        let mut due = Vec::new();
        for (ordinal, account) in self.accounts.iter_mut().enumerate() {
            let (fire, wait) = account.waiting.drain(..).partition::<Vec<_>, _>(|(from, _)| *from <= today);
            account.waiting = wait;
            due.extend(fire.into_iter().map(|(from, stated)| (from, ordinal, stated)));
        }
        due.sort_by_key(|(from, ordinal, _)| (*from, *ordinal));
        for (_, ordinal, stated) in due {
            let account = &mut self.accounts[ordinal];
            account.own = account.own.under(&stated);
            self.happened.lines.insert(ordinal, None);
        }
    }

    fn all_marks(&self) -> Vec<Option<BigInt>> {
        let today = self.today();
        (0..self.market.securities.len()).map(|s| self.market.mark(s, today, &self.policy)).collect()
    }

    /// Notes which marks an input changed; `only` one security, or all.
    pub fn note_marks(&mut self, input: &Input, kind: &'static str, only: Option<usize>) {
        self.marks.resize(self.market.securities.len(), None);
        let today = self.today();
        let range = only.map_or(0..self.marks.len(), |s| s..s + 1);
        for security in range {
            let mark = self.market.mark(security, today, &self.policy);
            if mark.is_some() {
                self.market.securities[security].alarmed = false;
            }
            if mark != self.marks[security] {
                self.marks[security] = mark;
                let change = MarkChange { order: input.order, kind, input: input.reference() };
                self.happened.mark_changes.insert(security, change);
            }
        }
    }

    /// One line: its verdict, and the effects that belong to it.
    fn take(&mut self, line: &Line, order: usize) {
        let Some(envelope) = &line.envelope else {
            let input = InputRef { source: line.source.clone(), id: line.id.clone() };
            let refusal = Refusal { code: "malformed", detail: "no readable envelope".to_owned() };
            self.refused(&input, &refusal);
            return;
        };
        let input = Input { envelope, object: &line.object, order };
        let by_time = matches!(envelope.kind.as_str(), "quote" | "index");
        if !envelope.version_one {
            if !by_time {
                self.spend(&input);
            }
            let refusal = Refusal { code: "version", detail: "not version 1".to_owned() };
            self.refused(&input.reference(), &refusal);
            return;
        }
        if !by_time && !self.first_seen(&input) {
            return;
        }
        let result = check(&envelope.kind, &line.object).and_then(|()| self.apply(&input));
        let Err(refusal) = result else { return };
        self.refused(&input.reference(), &refusal);
        if matches!(envelope.kind.as_str(), "fill" | "repay" | "transfer" | "cash")
            && let Some(Value::Text(name)) = line.object.get("account")
            && let Some(ordinal) = self.by_name.get(name)
            && !self.accounts[*ordinal].suspect
        {
            self.accounts[*ordinal].suspect = true;
            self.alarm("suspect", name, refusal.code);
        }
    }

    /// Marks the id or number of a line as used without asking whether it was.
    fn spend(&mut self, input: &Input) {
        let seen = self.seen.entry(input.envelope.source.clone()).or_default();
        match source_seq(input.object) {
            Some(n) => seen.highest = seen.highest.max(Some(n)),
            None => {
                seen.remember(&input.envelope.id);
            }
        }
    }

    /// Whether an event is no duplicate; a gap in its source's numbers is an alarm.
    fn first_seen(&mut self, input: &Input) -> bool {
        let source = &input.envelope.source;
        let seen = self.seen.entry(source.clone()).or_default();
        let Some(n) = source_seq(input.object) else { return seen.remember(&input.envelope.id) };
        let Some(highest) = seen.highest else {
            seen.highest = Some(n);
            return true;
        };
        if n <= highest {
            return false;
        }
        seen.highest = Some(n);
        if n > highest + 1 {
            self.alarm("gap", source, &format!("{n} after {highest}"));
        }
        true
    }

    /// Writes one effect: the common fields, then its own.
    fn effect(&mut self, kind: &str, key: &str, fields: &str) {
        let counted = format!("{kind}/{key}");
        let counter = self.counters.entry(counted.clone()).or_default();
        *counter += 1;
        let id = quoted(&format!("{counted}/{counter}"));
        let name = kind.split('/').next().unwrap_or(kind);
        let at = instant_text(self.now());
        let (seq, n) = (self.seq, self.n);
        let line = format!(
            "{{\"v\":1,\"type\":\"{name}\",\"shard\":0,\"seq\":{seq},\"n\":{n},\"at\":\"{at}\",\"id\":{id},{fields}}}\n"
        );
        self.effects.push_str(&line);
        self.n += 1;
    }

    fn refused(&mut self, input: &InputRef, refusal: &Refusal) {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        let key = format!("{}/{}", part(&input.source), part(&input.id));
        let fields = format!(
            "\"input\":{},\"code\":\"{}\",\"detail\":{}",
            input_text(Some(input)),
            refusal.code,
            quoted(&refusal.detail)
        );
        self.effect("refused", &key, &fields);
    }

    pub fn alarm(&mut self, kind: &str, key: &str, detail: &str) {
        let fields = format!("\"kind\":\"{kind}\",\"key\":{},\"detail\":{}", quoted(key), quoted(detail));
        self.effect(&format!("alarm/{kind}"), key, &fields);
    }

    /// The end of an epoch: every account from scratch.
    fn decide(&mut self) {
        self.marks = self.all_marks();
        let valuation = self.valuation();
        self.unmarked_alarms();
        for ordinal in 0..self.accounts.len() {
            let account = &self.accounts[ordinal];
            let lines = self.policy.resolve(&account.client_class, &account.own);
            let figures = Figures::of(account, &valuation, &self.frozen(account));
            self.decide_account(ordinal, &figures, &lines, &valuation);
            if self.trace.is_some() {
                let fields =
                    state_fields(&self.accounts[ordinal], &valuation, &figures, &lines, &self.policy.costs);
                let line = format!("{{\"seq\":{},{fields}", self.seq);
                self.trace.get_or_insert_default().push_str(&line);
            }
        }
    }

    fn valuation(&self) -> Valuation {
        let caps = caps_in_force(local_date(self.now()), &self.tables);
        let haircuts = self.market.securities.iter().map(|s| s.effective_haircut(&caps)).collect();
        Valuation { marks: self.all_marks(), haircuts }
    }

    /// Margin frozen by orders in flight, in 1/10^8.
    fn frozen(&self, account: &Account) -> BigInt {
        let mut sum = BigInt::zero();
        for order in account.orders.values() {
            let security = &self.market.securities[order.security];
            let ratio = |short| security.margin_ratio(short, &account.client_class, self.now(), &self.tables);
            let share = match order.side.as_str() {
                "collateral_buy" => 10_000,
                "margin_buy" => ratio(false),
                "short_sell" => ratio(true),
                _ => 0,
            };
            sum += &order.remaining * &order.price * share;
        }
        sum
    }

    fn unmarked_alarms(&mut self) {
        for security in 0..self.marks.len() {
            if self.marks[security].is_some() || self.market.securities[security].alarmed {
                continue;
            }
            let leaves = |b: &Balance| !b.contracts.is_empty() && holds_or_owes(b, security);
            if self.accounts.iter().any(|account| leaves(&account.balance)) {
                self.market.securities[security].alarmed = true;
                let code = self.market.securities[security].code.clone();
                self.alarm("unmarked", &code, "an account with debt rests on it");
            }
        }
    }

    fn decide_account(&mut self, ordinal: usize, figures: &Figures, lines: &Lines, valuation: &Valuation) {
        let account = &self.accounts[ordinal];
        let from = account.tier;
        let band = if self.settlement { 0 } else { lines.band };
        let to = match figures.both() {
            _ if account.balance.contracts.is_empty() => tiers::NONE,
            Some((assets, debts)) => tiers::next(from, assets, debts, lines, band),
            None => from,
        };
        if to == from {
            return;
        }
        let worsening = to > from;
        let shown = if to == tiers::NONE { None } else { Some(tiers::boundary(from, to, lines)) };
        let line = shown.unwrap_or_else(|| tiers::own_line(from, lines));
        let codes: Vec<&str> = self.market.securities.iter().map(|s| s.code.as_str()).collect();
        let who = (ordinal, account.name.as_str(), &account.balance);
        let cause = cause(&self.happened, who, line, worsening, &valuation.marks, &codes);
        let name = account.name.clone();
        let old_acts = account.acts;
        let acts = self.policy.restrictions[to];
        self.accounts[ordinal].tier = to;
        self.accounts[ordinal].acts = acts;
        if from.max(to) > tiers::NORMAL {
            let ratio = figures.both().filter(|_| to != tiers::NONE).map(|(a, d)| ratio_text(a, d));
            let fields = format!(
                "\"account\":{},\"from\":\"{}\",\"to\":\"{}\",\"ratio\":{},\"assets\":{},\"debts\":{},\"line\":{},\"basis\":\"{}\",\"cause\":{cause}",
                quoted(&name),
                TIERS[from],
                TIERS[to],
                or_null(ratio),
                money_or_null(figures.assets.as_ref()),
                money_or_null(figures.debts.as_ref()),
                or_null(shown.map(line_text)),
                if self.settlement { "settlement" } else { "intraday" },
            );
            self.effect("tier_changed", &name, &fields);
        }
        let newly = |more: [bool; 6], less: [bool; 6]| -> Vec<String> {
            (0..6).filter(|i| more[*i] && !less[*i]).map(|i| format!("\"{}\"", ACTS[i])).collect()
        };
        for (kind, list) in [("restricted", newly(acts, old_acts)), ("lifted", newly(old_acts, acts))] {
            if !list.is_empty() {
                let fields =
                    format!("\"account\":{},\"acts\":[{}],\"cause\":{cause}", quoted(&name), list.join(","));
                self.effect(kind, &name, &fields);
            }
        }
    }

    /// The state file: one line for every account.
    pub fn state(&self) -> String {
        let valuation = self.valuation();
        let mut out = String::new();
        for account in &self.accounts {
            let lines = self.policy.resolve(&account.client_class, &account.own);
            let figures = Figures::of(account, &valuation, &self.frozen(account));
            out.push('{');
            out.push_str(&state_fields(account, &valuation, &figures, &lines, &self.policy.costs));
        }
        out
    }
}

fn holds_or_owes(b: &Balance, security: usize) -> bool {
    b.positions.contains_key(&security) || !b.owed(security).is_zero()
}
