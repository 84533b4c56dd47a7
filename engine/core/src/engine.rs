//! The engine: the state, and the one function that changes it.
//!
//! A step takes an epoch in four parts: timers by the new clock, inputs in order, the end of the
//! epoch (every lane judges its accounts), and the merge of effects in the order of events.md.

use std::collections::BTreeMap;

use crate::actions::{ActionGroup, PendingAction};
use crate::aside::Saving;
use crate::columns::{ColumnBytes, Paths};
use crate::dedup::{Seen, Source};
use crate::effect::{Act, Alarm, Effect, Figures, Out, Tier, Verdict};
use crate::input::{
    AccountInput, AccountName, Body, CashReason, Code, CustomerName, Entry, Epoch, Input, LinesPatch, Owner,
    Refusal, SecurityName, Side, SourceName, refusal,
};
use crate::lane::{Close, Lane};
use crate::market::{Market, Mover};
use crate::num::{Date, Money, Time};
use crate::policy::{Policy, PolicyDraft};
use crate::rules::Rules;

/// Runs a closure over every lane of a step; the lanes do not see one another.
pub trait Exec {
    /// Calls `work` once per lane, in any order or side by side.
    fn run(&self, lanes: &mut [Lane], work: &(dyn Fn(&mut Lane) + Sync));

    /// Asks every lane, in any order or side by side; answers come in the order of the lanes.
    fn ask<T: Send>(&self, lanes: &[Lane], work: &(dyn Fn(&Lane) -> T + Sync)) -> Vec<T>;
}

/// One lane after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequential;

impl Exec for Sequential {
    fn run(&self, lanes: &mut [Lane], work: &(dyn Fn(&mut Lane) + Sync)) {
        lanes.iter_mut().for_each(work);
    }

    fn ask<T: Send>(&self, lanes: &[Lane], work: &(dyn Fn(&Lane) -> T + Sync)) -> Vec<T> {
        lanes.iter().map(work).collect()
    }
}

/// How an epoch found the accounts it judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// No price left a band: only accounts that inputs touched.
    #[default]
    Inputs,
    /// Through the lists of who holds what moved.
    Holders,
    /// By a pass over the rows of one level or more.
    Rows,
    /// Every account was judged.
    Every,
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepStats {
    /// Accounts of the book.
    pub accounts: u64,
    /// Accounts judged in full.
    pub judged: u64,
    /// Rows looked at to find them; the others were not touched.
    pub looked: u64,
    /// The widest way any lane went.
    pub path: Path,
}

/// An account as readers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Its name.
    pub account: AccountName,
    /// Its customer.
    pub customer: CustomerName,
    /// Its tier.
    pub tier: Tier,
    /// Whether a refused fact makes it suspect until its next opening.
    pub suspect: bool,
    /// Its figures.
    pub figures: Figures,
}

/// Lines waiting for their day, by day and account, in order of arrival.
pub(crate) type Waiting = BTreeMap<(Date, u32), Vec<LinesPatch>>;

/// The state of one shard.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) market: Market,
    pub(crate) lanes: Vec<Lane>,
    /// Ordinal of each account name; names whose `account` event was not taken have none.
    pub(crate) ordinals: Vec<Option<u32>>,
    /// Number of accounts.
    pub(crate) accounts: u32,
    pub(crate) sources: Vec<Source>,
    pub(crate) waiting: Waiting,
    /// Number of the last epoch.
    pub(crate) epoch: u64,
    /// Counters of refusals of events without a readable source.
    pub(crate) nameless: Source,
    /// A save under way.
    pub(crate) saving: Option<Saving>,
}

/// An epoch that moves at most this many prices is closed by one thread.
const FEW_MOVES: usize = 16;

/// How far an epoch must look at its end.
#[derive(Clone, Copy, Debug, Default)]
struct Scope {
    every: bool,
    settlement: bool,
}

impl Engine {
    /// An empty book under a policy and the tables it rests on.
    ///
    /// # Errors
    /// The refusal of a faulty policy.
    pub fn new(policy: &PolicyDraft, rules: Rules, lanes: usize) -> Result<Self, Refusal> {
        let policy = policy.resolve(&rules)?;
        Ok(Engine {
            market: Market::new(policy, rules),
            lanes: Lane::several(lanes),
            ordinals: Vec::new(),
            accounts: 0,
            sources: Vec::new(),
            waiting: Waiting::new(),
            epoch: 0,
            nameless: Source::default(),
            saving: None,
        })
    }

    /// Chooses how accounts near a line are found, before the first of them: the result is the same.
    #[must_use]
    pub fn with_paths(mut self, paths: Paths) -> Self {
        self.lanes.iter_mut().for_each(|lane| lane.columns.paths = paths);
        self
    }

    /// Number of accounts.
    #[must_use]
    pub fn accounts(&self) -> u32 {
        self.accounts
    }

    /// Time of the last epoch.
    #[must_use]
    pub fn clock(&self) -> Time {
        self.market.clock
    }

    /// The marking price of a security, where it has one.
    #[must_use]
    pub fn mark(&self, name: SecurityName) -> Option<Money> {
        self.market.mark(name)
    }

    /// Number of the last epoch; 0 before the first.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// One account by its ordinal (order of the first accepted `account` event).
    #[must_use]
    pub fn account(&self, ordinal: u32) -> AccountView {
        let (lane, i) = self.place(ordinal);
        let lane = &self.lanes[lane];
        let account = &lane.accounts[i];
        AccountView {
            account: lane.hot[i].name,
            customer: account.customer,
            tier: lane.hot[i].tier,
            suspect: account.suspect,
            figures: lane.view(i, &self.market).figures(),
        }
    }

    /// What the columns of all lanes use.
    #[must_use]
    pub fn column_bytes(&self) -> ColumnBytes {
        let mut bytes = ColumnBytes::default();
        self.lanes.iter().for_each(|lane| lane.columns.add_bytes(&mut bytes));
        bytes
    }

    /// When the next timer fires.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.waiting.keys().next().map(|(day, _)| day.start())
    }

    /// Lane and place within it of an ordinal.
    pub(crate) fn place(&self, ordinal: u32) -> (usize, usize) {
        let lanes = self.lanes.len();
        (ordinal as usize % lanes, ordinal as usize / lanes)
    }

    /// Takes one epoch: total, one verdict per entry; bad input is a refusal.
    ///
    /// # Panics
    /// On an epoch out of number or a clock that steps back: the caller's broken invariant.
    pub fn step(&mut self, epoch: &Epoch, exec: &impl Exec, out: &mut Out) -> StepStats {
        assert_eq!(epoch.number, self.epoch + 1, "epochs come without a gap");
        assert!(epoch.clock >= self.market.clock, "the clock does not step back");
        self.epoch = epoch.number;
        out.verdicts.clear();
        out.effects.clear();
        self.market.begin(epoch.clock);
        self.fire_timers();
        let mut scope = Scope::default();
        for (n, entry) in epoch.entries.iter().enumerate() {
            let verdict = self.take(epoch, entry, n as u32, exec, &mut scope, out);
            out.verdicts.push(verdict);
        }
        self.close(scope, exec, out)
    }

    /// Lines whose day has come, in order of day and account.
    fn fire_timers(&mut self) {
        let today = self.market.clock.date();
        while let Some(entry) = self.waiting.first_entry() {
            let (day, ordinal) = *entry.key();
            if day > today {
                break;
            }
            let patches = entry.remove();
            let (lane, i) = self.place(ordinal);
            for patch in patches {
                // Lines are checked when their event comes, not when they fall due.
                let done = self.lanes[lane].put_lines(i, &patch, None, &self.market);
                debug_assert!(done.is_ok());
            }
        }
    }

    /// One entry: seen before, refused, or applied.
    fn take(
        &mut self,
        epoch: &Epoch,
        entry: &Entry,
        n: u32,
        exec: &impl Exec,
        scope: &mut Scope,
        out: &mut Out,
    ) -> Verdict {
        let malformed = matches!(entry.body, Body::Refused { code: Code::Malformed, .. });
        let foreign = matches!(entry.body, Body::Refused { code: Code::Version, .. });
        if let (Some(source), true, false) = (entry.source, entry.identified, malformed) {
            // Another version is refused before the check, and spends its id.
            match (self.source(source).see(entry.source_seq, epoch.id_of(entry)), foreign) {
                (_, true) | (Seen::New, _) => {}
                (Seen::Before, _) => return Verdict::Duplicate,
                (Seen::Gap(last), _) => {
                    let from = self.source(source);
                    from.gaps += 1;
                    let count = from.gaps;
                    let came = entry.source_seq.unwrap_or(0);
                    out.effects.push(Effect::Alarm(Alarm::Gap(source, last, came), count));
                }
            }
        }
        let restricted = self.restriction_of(entry);
        let done = match &entry.body {
            Body::Refused { code, .. } => Err(refusal(*code, "")),
            Body::Input(input) => self.apply(input, entry, n, exec, scope),
        };
        match done {
            Ok(()) => {
                if let Some((ordinal, act)) = restricted {
                    self.alarm_restriction(ordinal, act, out);
                }
                Verdict::Accepted
            }
            Err(Refusal { code, detail }) => {
                let id = epoch.id_of(entry);
                let count = match entry.source {
                    Some(source) => self.source(source).count_refusal(id),
                    None => self.nameless.count_refusal(id),
                };
                out.effects.push(Effect::Refused { input: n, count, code, detail });
                if !malformed && !foreign {
                    self.suspect(entry, out);
                }
                Verdict::Refused(code)
            }
        }
    }

    fn source(&mut self, name: SourceName) -> &mut Source {
        if self.sources.len() <= name.index() {
            self.sources.resize_with(name.index() + 1, Source::default);
        }
        &mut self.sources[name.index()]
    }

    fn ordinal(&self, name: Option<AccountName>) -> Option<u32> {
        name.and_then(|name| self.ordinals.get(name.index()).copied().flatten())
    }

    /// The act of a fact that the restrictions in force at the beginning of the epoch refuse.
    fn restriction_of(&self, entry: &Entry) -> Option<(u32, Act)> {
        let Body::Input(Input::OfAccount(name, input)) = &entry.body else { return None };
        let act = match input {
            AccountInput::Fill(fill) => match fill.side {
                Side::MarginBuy => Act::Financing,
                Side::ShortSell => Act::Shorting,
                Side::CollateralBuy => Act::CollateralBuy,
                _ => return None,
            },
            AccountInput::Cash(_, CashReason::Withdrawal) => Act::Withdraw,
            AccountInput::Transfer(_, quantity) if *quantity < 0 => Act::TransferOut,
            _ => return None,
        };
        let ordinal = self.ordinal(*name)?;
        let (lane, i) = self.place(ordinal);
        self.lanes[lane].hot[i].restricted.has(act).then_some((ordinal, act))
    }

    fn alarm_restriction(&mut self, ordinal: u32, act: Act, out: &mut Out) {
        let (lane, i) = self.place(ordinal);
        self.lanes[lane].put_aside(i, &self.market);
        let account = &mut self.lanes[lane].accounts[i];
        account.counters.against_restriction += 1;
        let count = account.counters.against_restriction;
        out.effects.push(Effect::Alarm(Alarm::AgainstRestriction(self.lanes[lane].hot[i].name, act), count));
    }

    /// A refused fact makes its account suspect; the alarm is raised when it becomes so.
    fn suspect(&mut self, entry: &Entry, out: &mut Out) {
        let name = match &entry.body {
            Body::Refused { fact_of, .. } => *fact_of,
            Body::Input(Input::OfAccount(
                name,
                AccountInput::Fill(_)
                | AccountInput::Repay(..)
                | AccountInput::Transfer(..)
                | AccountInput::Cash(..),
            )) => *name,
            Body::Input(_) => None,
        };
        let Some(ordinal) = self.ordinal(name) else { return };
        let (lane, i) = self.place(ordinal);
        self.lanes[lane].put_aside(i, &self.market);
        let account = &mut self.lanes[lane].accounts[i];
        if !account.suspect {
            account.suspect = true;
            account.counters.suspect += 1;
            let count = account.counters.suspect;
            out.effects.push(Effect::Alarm(Alarm::Suspect(self.lanes[lane].hot[i].name), count));
        }
    }

    fn apply(
        &mut self,
        input: &Input,
        entry: &Entry,
        n: u32,
        exec: &impl Exec,
        scope: &mut Scope,
    ) -> Result<(), Refusal> {
        let at = entry.at;
        let source = entry.source.unwrap_or(SourceName(0));
        match input {
            Input::Quote(quote) => self.market.put_quote(quote, source, at, n),
            Input::OfAccount(name, input) => self.apply_to_account(*name, input, at, n),
            Input::Index(index, level) => self.market.put_index(*index, *level, source, at, n),
            Input::Mark(security, price) => self.market.put_mark(*security, *price, n),
            Input::Security(record) => self.market.put_security(record, at, n),
            Input::Account { account, owner } => {
                self.put_account(*account, *owner);
                Ok(())
            }
            Input::CorporateAction(action) => {
                if let Some((security, pending)) = self.market.put_action(action)? {
                    self.act(security, action.ex_date, vec![pending], n, exec);
                }
                Ok(())
            }
            Input::DayStart(day) => self.day_start(*day, n, exec, scope),
            Input::DayEnd(day) => self.day_end(*day, n, exec, scope),
            Input::Clock => Ok(()),
            Input::Policy(draft) => {
                self.put_policy(draft.resolve(&self.market.rules)?, exec);
                self.market.remark_suspended(Mover::Policy, Some(n));
                self.lanes.iter_mut().for_each(|lane| lane.journal.policy = Some(n));
                scope.every = true;
                Ok(())
            }
            Input::Rules(table) => {
                self.market.rules.replace((**table).clone());
                self.market.refresh_haircuts();
                Ok(())
            }
            Input::Calendar(dates) => {
                self.market.calendar = Some(dates.clone());
                self.market.remark_suspended(Mover::Calendar, Some(n));
                Ok(())
            }
        }
    }

    fn put_policy(&mut self, policy: Policy, exec: &impl Exec) {
        self.give_up_saving();
        let market = &self.market;
        exec.run(&mut self.lanes, &|lane| {
            lane.catch_up_all(market);
            lane.terms.forget_policy();
        });
        self.market.policy = policy;
        let market = &self.market;
        exec.run(&mut self.lanes, &|lane| (0..lane.hot.len()).for_each(|i| lane.owe(i, market)));
    }

    /// Gives a name its ordinal.
    pub(crate) fn name(&mut self, name: AccountName, ordinal: u32) {
        if self.ordinals.len() <= name.index() {
            self.ordinals.resize(name.index() + 1, None);
        }
        self.ordinals[name.index()] = Some(ordinal);
    }

    fn put_account(&mut self, name: AccountName, owner: Owner) {
        if let Some(ordinal) = self.ordinal(Some(name)) {
            let (lane, i) = self.place(ordinal);
            self.lanes[lane].put_aside(i, &self.market);
            self.lanes[lane].update(i, owner);
            return;
        }
        let ordinal = self.accounts;
        self.accounts += 1;
        self.name(name, ordinal);
        let (lane, _) = self.place(ordinal);
        self.lanes[lane].add(name, owner);
    }

    fn apply_to_account(
        &mut self,
        name: Option<AccountName>,
        input: &AccountInput,
        at: Time,
        n: u32,
    ) -> Result<(), Refusal> {
        let ordinal = self.ordinal(name).ok_or_else(|| refusal(Code::UnknownAccount, "no such account"))?;
        let (lane, i) = self.place(ordinal);
        if let AccountInput::Lines(patch, Some(from)) = input
            && *from > self.market.clock.date()
        {
            self.lanes[lane].check_lines(i, patch, &self.market)?;
            self.waiting.entry((*from, ordinal)).or_default().push((**patch).clone());
            return Ok(());
        }
        self.lanes[lane].apply(i, input, at, n, &self.market)
    }

    /// Brings the actions of one security and ex-date into effect together.
    fn act(
        &mut self,
        security: SecurityName,
        ex_date: Date,
        actions: Vec<PendingAction>,
        n: u32,
        exec: &impl Exec,
    ) {
        let Some(group) = self.market.apply_action(security, ex_date, actions, n) else { return };
        let (group, market): (&ActionGroup, &Market) = (&group, &self.market);
        let today = market.last_day_start().unwrap_or_else(|| market.today());
        exec.run(&mut self.lanes, &|lane| lane.act(group, today, market));
    }

    /// Accrual, then what falls on the day, then its prices (domain.md §4, §5).
    fn day_start(&mut self, day: Date, n: u32, exec: &impl Exec, scope: &mut Scope) -> Result<(), Refusal> {
        let last = self.market.last_day_start().max(self.market.last_day_end);
        if last.is_some_and(|last| day <= last) {
            return Err(refusal(Code::DateOrder, "the day was started or ended already"));
        }
        self.give_up_saving();
        let from = self.market.accrued();
        self.market.start_day(day);
        let market = &self.market;
        exec.run(&mut self.lanes, &|lane| lane.accrue(from, market));
        for ((ex_date, security), actions) in self.market.actions_due(day) {
            self.act(security, ex_date, actions, n, exec);
        }
        exec.run(&mut self.lanes, &|lane| {
            lane.pay_receivables(day);
            lane.journal.day = Some(n);
        });
        self.market.roll_prices(n);
        self.market.remark_suspended(Mover::Price, Some(n));
        scope.every = true;
        Ok(())
    }

    fn day_end(&mut self, day: Date, n: u32, exec: &impl Exec, scope: &mut Scope) -> Result<(), Refusal> {
        let ended = self.market.last_day_end.is_some_and(|last| day <= last);
        if ended || self.market.last_day_start().is_some_and(|start| day < start) {
            return Err(refusal(Code::DateOrder, "the day was ended already or another one started"));
        }
        self.give_up_saving();
        let from = self.market.accrued();
        self.market.last_day_end = Some(day);
        let market = &self.market;
        exec.run(&mut self.lanes, &|lane| {
            lane.accrue(from, market);
            lane.drop_orders();
            lane.journal.day = Some(n);
        });
        scope.every = true;
        scope.settlement = true;
        Ok(())
    }

    /// Ends the epoch: every lane judges its accounts, then the effects are merged by ordinal.
    fn close(&mut self, scope: Scope, exec: &impl Exec, out: &mut Out) -> StepStats {
        let close = if scope.every {
            Close::Every { settlement: scope.settlement }
        } else if self.market.moves.is_empty() {
            Close::Touched
        } else {
            Close::Moved
        };
        let market = &self.market;
        let work = |lane: &mut Lane| lane.close(close, market);
        let few = self.market.moves.len() <= FEW_MOVES;
        match close {
            Close::Every { .. } => exec.run(&mut self.lanes, &work),
            Close::Moved if !few => exec.run(&mut self.lanes, &work),
            // Waking the lanes would cost more than the work.
            Close::Touched | Close::Moved => Sequential.run(&mut self.lanes, &work),
        }
        self.alarm_unmarked(out);
        self.merge(out);
        self.stats(close)
    }

    fn stats(&self, close: Close) -> StepStats {
        let lanes = || self.lanes.iter();
        let path = match close {
            Close::Every { .. } => Path::Every,
            _ if lanes().any(|lane| lane.looked.passes > 0) => Path::Rows,
            _ if lanes().any(|lane| lane.looked.lists > 0) => Path::Holders,
            _ => Path::Inputs,
        };
        StepStats {
            accounts: u64::from(self.accounts),
            judged: lanes().map(|lane| lane.judged).sum(),
            looked: lanes().map(|lane| lane.looked.rows).sum(),
            path,
        }
    }

    /// Names each security that leaves an account with debt without a ratio, once until it has had
    /// a mark, in the order in which the securities appeared.
    fn alarm_unmarked(&mut self, out: &mut Out) {
        let mut found: Vec<SecurityName> =
            self.lanes.iter().flat_map(|lane| lane.unmarked.iter().copied()).collect();
        if found.is_empty() {
            return;
        }
        found.sort_unstable();
        found.dedup();
        let order = |name: &SecurityName| self.market.listed.iter().position(|s| s == name);
        found.sort_by_key(order);
        for name in found {
            let Some(security) = self.market.securities[name.index()].as_deref_mut() else { continue };
            if !security.alarmed {
                security.alarmed = true;
                security.alarms += 1;
                out.effects.push(Effect::Alarm(Alarm::Unmarked(name), security.alarms));
            }
        }
    }

    /// Effects of all lanes in the order of ordinals: of two lanes' accounts at one place the first
    /// lane's comes first ([`Engine::place`]).
    fn merge(&self, out: &mut Out) {
        let mut rest: Vec<&[(u32, Effect)]> = self.lanes.iter().map(|lane| &lane.effects[..]).collect();
        out.effects.reserve(rest.iter().map(|effects| effects.len()).sum());
        let next = |rest: &[&[(u32, Effect)]]| {
            let heads = rest.iter().enumerate().filter_map(|(lane, of)| Some((of.first()?.0, lane)));
            heads.min().map(|(_, lane)| lane)
        };
        while let Some(lane) = next(&rest) {
            let account = rest[lane][0].0;
            let (of_account, others) = rest[lane].split_at(rest[lane].partition_point(|e| e.0 == account));
            out.effects.extend(of_account.iter().map(|(_, effect)| *effect));
            rest[lane] = others;
        }
    }
}
