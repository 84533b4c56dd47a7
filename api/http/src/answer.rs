//! Answers as JSON: money, prices and ratios as decimal texts, as on the wire.

use plimsoll_engine::breach::{Breach, MapStep};
use plimsoll_engine::effect::Tier;
use plimsoll_engine::input::{ContractSide, SecurityName};
use plimsoll_engine::num::{Date, Time};
use plimsoll_engine::policy::{LineName, Lines};
use plimsoll_engine::read::{ContractTerms, Detail, HoldingTerms, Listed};
use plimsoll_engine::scenario::{Sale, Scenario};
use plimsoll_service::ask::WhatIf;
use plimsoll_service::run::Run;
use plimsoll_wire::names::Names;
use plimsoll_wire::{decimal, print, time};
use serde::Serialize;
use utoipa::ToSchema;

use crate::live::{Live, Tiers};
use crate::writer::now;
use serde_json::value::RawValue;

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

pub(crate) fn money(value: i128) -> String {
    text(|out| decimal::write(out, value, 4, 4))
}

fn weighted(value: i128) -> String {
    text(|out| decimal::write(out, value, 8, 8))
}

fn line(value: u32) -> String {
    text(|out| decimal::write_line(out, value))
}

fn instant(at: Time) -> String {
    text(|out| time::write_time(out, at))
}

fn date(of: Date) -> String {
    text(|out| time::write_date(out, of))
}

/// What an answer is of.
#[derive(Serialize, ToSchema)]
pub(crate) struct AsOf {
    epoch: u64,
    /// None before the first epoch.
    clock: Option<String>,
    /// Age of the oldest quote that a figure of it rests on, where it rests on any.
    oldest_mark_age_ms: Option<i64>,
}

impl AsOf {
    pub(crate) fn of(run: &Run, oldest: Option<Time>) -> Self {
        let engine = run.engine();
        let epoch = engine.epoch();
        let clock = (epoch > 0).then(|| instant(engine.clock()));
        AsOf { epoch, clock, oldest_mark_age_ms: oldest.map(age_ms) }
    }
}

/// The age of a quote.
fn age_ms(quoted: Time) -> i64 {
    (now().0 - quoted.0).max(0) / 1000
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Account {
    #[serde(flatten)]
    as_of: AsOf,
    /// The state line of the wire contract.
    #[schema(value_type = Object)]
    account: Box<RawValue>,
    branch: Option<String>,
    suspect: bool,
    /// Acts the tier refuses.
    restrictions: Vec<&'static str>,
    lines: LinesInForce,
    holdings: Vec<Holding>,
    contracts: Vec<Contract>,
    /// What orders in flight freeze of the available margin.
    frozen: String,
    breach_prices: Vec<BreachPrice>,
}

#[derive(Serialize, ToSchema)]
struct LinesInForce {
    free: Option<String>,
    watch: Option<String>,
    warning: Option<String>,
    call: Option<String>,
    immediate: Option<String>,
    restore_call: Option<String>,
    restore_sale: Option<String>,
    recovery_band: String,
}

impl LinesInForce {
    fn of(lines: &Lines) -> Self {
        let of = |name| lines.get(name).map(line);
        LinesInForce {
            free: of(LineName::Free),
            watch: of(LineName::Watch),
            warning: of(LineName::Warning),
            call: of(LineName::Call),
            immediate: of(LineName::Immediate),
            restore_call: of(LineName::RestoreCall),
            restore_sale: of(LineName::RestoreSale),
            recovery_band: line(lines.band),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct Holding {
    security: String,
    quantity: i64,
    tied: i128,
    mark: Option<String>,
    quoted_at: Option<String>,
    haircut: String,
    value: Option<String>,
    /// Free shares × mark × haircut.
    margin: String,
}

#[derive(Serialize, ToSchema)]
struct Contract {
    contract: String,
    side: &'static str,
    security: String,
    quantity: i64,
    amount: String,
    interest: String,
    rate: String,
    margin_ratio: String,
    opened: String,
    due: Option<String>,
    mark: Option<String>,
    quoted_at: Option<String>,
    /// Gain at the haircut, or loss in full, as it counts in the available margin.
    profit: String,
    /// Margin, a short's sale amount and interest, as the available margin keeps them.
    reserved: String,
}

#[derive(Serialize, ToSchema)]
struct BreachPrice {
    security: String,
    tier: &'static str,
    line: String,
    price: String,
    on: &'static str,
    limit_days: Option<u32>,
}

impl Account {
    /// One account by its ordinal.
    pub(crate) fn of(run: &Run, ordinal: u32) -> Self {
        let (names, engine) = (run.names(), run.engine());
        let detail = engine.detail(ordinal);
        let state = text(|out| {
            let state = print::State {
                account: names.account(detail.account),
                customer: names.customer(detail.customer),
                tier: detail.tier,
                figures: &detail.figures,
            };
            print::state(out, &state);
        });
        let Detail { branch, suspect, restricted, ref lines, ref holdings, ref contracts, frozen, .. } =
            detail;
        Account {
            as_of: AsOf::of(run, detail.oldest_quote()),
            account: RawValue::from_string(state).unwrap_or_default(),
            branch: branch.map(|name| names.branch(name).to_owned()),
            suspect,
            restrictions: restricted.iter().map(|act| act.word()).collect(),
            lines: LinesInForce::of(lines),
            holdings: holdings.iter().map(|holding| held(holding, names)).collect(),
            contracts: contracts.iter().map(|contract| owed(contract, names)).collect(),
            frozen: weighted(frozen),
            breach_prices: engine.breaches(ordinal).iter().map(|breach| breached(breach, names)).collect(),
        }
    }
}

fn price(mark: Option<i64>) -> Option<String> {
    mark.map(|mark| money(mark.into()))
}

fn held(terms: &HoldingTerms, names: &Names) -> Holding {
    Holding {
        security: names.security(terms.security).to_owned(),
        quantity: terms.quantity,
        tied: terms.tied,
        mark: price(terms.mark),
        quoted_at: terms.quoted.map(instant),
        haircut: line(terms.haircut),
        value: terms.mark.map(|mark| money(i128::from(mark) * i128::from(terms.quantity))),
        margin: weighted(terms.margin),
    }
}

fn owed(terms: &ContractTerms, names: &Names) -> Contract {
    Contract {
        contract: names.contract(terms.contract).to_owned(),
        side: if terms.side == ContractSide::Financing { "financing" } else { "short" },
        security: names.security(terms.security).to_owned(),
        quantity: terms.quantity,
        amount: money(terms.amount.into()),
        interest: money(terms.interest),
        rate: text(|out| decimal::write(out, terms.rate.into(), 8, 4)),
        margin_ratio: line(terms.margin_ratio),
        opened: date(terms.opened),
        due: terms.due.map(date),
        mark: price(terms.mark),
        quoted_at: terms.quoted.map(instant),
        profit: weighted(terms.profit),
        reserved: weighted(terms.reserved),
    }
}

fn breached(breach: &Breach, names: &Names) -> BreachPrice {
    BreachPrice {
        security: names.security(breach.security).to_owned(),
        tier: breach.tier.word(),
        line: line(breach.line),
        price: money(breach.price.into()),
        on: if breach.falls { "fall" } else { "rise" },
        limit_days: breach.limit_days,
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Page {
    #[serde(flatten)]
    as_of: AsOf,
    accounts: Vec<Entry>,
    /// Where the next page goes on; none after the last.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Entry {
    account: String,
    customer: String,
    tier: &'static str,
    ratio: Option<String>,
    assets: Option<String>,
    debts: Option<String>,
}

impl Page {
    pub(crate) fn of(run: &Run, listed: &[Listed], limit: usize) -> Self {
        let (names, engine) = (run.names(), run.engine());
        let entry = |listed: &Listed| {
            let view = engine.account(listed.ordinal);
            let ratio = listed.assets.zip(listed.debts).filter(|(_, debts)| *debts > 0);
            Entry {
                account: names.account(view.account).to_owned(),
                customer: names.customer(view.customer).to_owned(),
                tier: listed.tier.word(),
                ratio: ratio.map(|(a, d)| text(|out| decimal::write_ratio(out, a, d))),
                assets: listed.assets.map(money),
                debts: listed.debts.map(money),
            }
        };
        let full = listed.len() == limit;
        Page {
            as_of: AsOf::of(run, run.engine().quotes().oldest),
            accounts: listed.iter().map(entry).collect(),
            cursor: listed.last().filter(|_| full).map(cursor),
        }
    }
}

/// Where a page ended, as a text that a client gives back.
fn cursor(listed: &Listed) -> String {
    let part = |value: Option<i128>| value.map_or("-".to_owned(), |value| value.to_string());
    format!("{}~{}~{}", listed.ordinal, part(listed.assets), part(listed.debts))
}

/// What [`cursor`] gave; `None` for anything else.
pub(crate) fn after(cursor: &str) -> Option<Listed> {
    let mut parts = cursor.split('~');
    let ordinal = parts.next()?.parse().ok()?;
    let mut part = || match parts.next()? {
        "-" => Some(None),
        number => number.parse().ok().map(Some),
    };
    let (assets, debts) = (part()?, part()?);
    parts.next().is_none().then_some(Listed { ordinal, tier: Tier::None, assets, debts })
}

/// Accounts by tier, the mildest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct TierCounts {
    none: u64,
    normal: u64,
    watch: u64,
    warning: u64,
    call: u64,
    immediate: u64,
    insolvent: u64,
}

impl TierCounts {
    fn of([none, normal, watch, warning, call, immediate, insolvent]: Tiers) -> Self {
        TierCounts { none, normal, watch, warning, call, immediate, insolvent }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// Age of the newest quote.
    quotes_age_ms: Option<i64>,
    /// Listed securities, and how many of them have no mark.
    securities: u32,
    unmarked: u32,
    /// Over the last five seconds.
    events_per_s: u64,
    /// What 99 of 100 of the last commits took at most.
    commit_ms_p99: f64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Summary {
    #[serde(flatten)]
    as_of: AsOf,
    accounts: u32,
    tiers: TierCounts,
    health: Health,
}

impl Summary {
    pub(crate) fn of(run: &Run, live: &Live) -> Self {
        let (engine, quotes) = (run.engine(), run.engine().quotes());
        Summary {
            as_of: AsOf::of(run, quotes.oldest),
            accounts: engine.accounts(),
            tiers: TierCounts::of(engine.tiers()),
            health: Health {
                quotes_age_ms: quotes.newest.map(age_ms),
                securities: quotes.securities,
                unmarked: quotes.unmarked,
                events_per_s: live.pace(),
                commit_ms_p99: live.commit_p99().as_micros() as f64 / 1e3,
            },
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Picture {
    #[serde(flatten)]
    summary: Summary,
    /// Tiers over the day, at most 500 times of it.
    day: Vec<Sample>,
    /// The newest effects that tell of a worse tier, newest first.
    #[schema(value_type = Vec<Object>)]
    newest: Vec<Box<RawValue>>,
}

#[derive(Serialize, ToSchema)]
struct Sample {
    clock: String,
    tiers: TierCounts,
}

impl Picture {
    pub(crate) fn of(run: &Run, live: &Live) -> Self {
        let sample =
            |&(clock, tiers): &(Time, Tiers)| Sample { clock: instant(clock), tiers: TierCounts::of(tiers) };
        Picture {
            summary: Summary::of(run, live),
            day: live.day().iter().map(sample).collect(),
            newest: live.newest().map(ToOwned::to_owned).collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Security {
    #[serde(flatten)]
    as_of: AsOf,
    security: String,
    mark: Option<String>,
    /// Shares that accounts in debt hold, and how many they are.
    held: i128,
    holders: u32,
    falls: Vec<Step>,
    rises: Vec<Step>,
}

#[derive(Serialize, ToSchema)]
struct Step {
    price: String,
    watch: u32,
    warning: u32,
    call: u32,
    immediate: u32,
    insolvent: u32,
    shares: i128,
}

impl Security {
    pub(crate) fn of(run: &Run, name: SecurityName) -> Self {
        let engine = run.engine();
        let map = engine.liquidation_map(name, run.threads());
        let (held, holders) = engine.held(name);
        let step = |step: &MapStep| {
            let [watch, warning, call, immediate, insolvent] = step.enter;
            Step {
                price: money(step.price.into()),
                watch,
                warning,
                call,
                immediate,
                insolvent,
                shares: step.shares,
            }
        };
        Security {
            as_of: AsOf::of(run, engine.quoted(name)),
            security: run.names().security(name).to_owned(),
            mark: price(engine.mark(name)),
            held,
            holders,
            falls: map.falls.iter().map(step).collect(),
            rises: map.rises.iter().map(step).collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Shocked {
    #[serde(flatten)]
    as_of: AsOf,
    before: TierCounts,
    after: TierCounts,
    /// Accounts that worsen, by the tier they fall to.
    worsen_to: TierCounts,
    calls: u64,
    call_sum: String,
    /// Value to sell of all securities, and what no sale covers.
    sale_sum: String,
    shortfall: String,
    /// By security, the largest value first.
    sales: Vec<ToSell>,
}

#[derive(Serialize, ToSchema)]
struct ToSell {
    security: String,
    value: String,
    average_turnover: Option<String>,
}

impl Shocked {
    /// An answer with the sales of so many securities.
    pub(crate) fn of(run: &Run, scenario: &Scenario, shown: usize) -> Self {
        let to_sell = |sale: &Sale| ToSell {
            security: run.names().security(sale.security).to_owned(),
            value: money(sale.value),
            average_turnover: price(sale.average_turnover),
        };
        let worsen_to = |tier: usize| scenario.moved[..tier].iter().map(|row| row[tier]).sum();
        Shocked {
            as_of: AsOf::of(run, run.engine().quotes().oldest),
            before: TierCounts::of(scenario.before),
            after: TierCounts::of(scenario.after),
            worsen_to: TierCounts::of(std::array::from_fn(worsen_to)),
            calls: scenario.calls,
            call_sum: money(scenario.call_sum),
            sale_sum: money(scenario.sales.iter().map(|sale| sale.value).sum()),
            shortfall: money(scenario.shortfall),
            sales: scenario.sales.iter().take(shown).map(to_sell).collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Hypothetical {
    #[serde(flatten)]
    as_of: AsOf,
    /// State lines of the wire contract, as it is and after the events.
    #[schema(value_type = Object)]
    before: Box<RawValue>,
    #[schema(value_type = Object)]
    after: Box<RawValue>,
    /// The effects of the events.
    #[schema(value_type = Vec<Object>)]
    effects: Vec<Box<RawValue>>,
}

impl Hypothetical {
    pub(crate) fn of(run: &Run, answer: &WhatIf) -> Self {
        let raw = |line: &[u8]| RawValue::from_string(String::from_utf8_lossy(line).trim().to_owned());
        let lines = answer.effects.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        Hypothetical {
            as_of: AsOf::of(run, run.engine().quotes().oldest),
            before: raw(&answer.before).unwrap_or_default(),
            after: raw(&answer.after).unwrap_or_default(),
            effects: lines.filter_map(|line| raw(line).ok()).collect(),
        }
    }
}

/// What was told of an account.
#[derive(Serialize, ToSchema)]
pub(crate) struct History {
    #[serde(flatten)]
    as_of: AsOf,
    /// Its effects, newest first.
    #[schema(value_type = Vec<Object>)]
    effects: Vec<Box<RawValue>>,
    /// Where the next page goes on; none where the log begins.
    cursor: Option<u64>,
}

impl History {
    pub(crate) fn of(as_of: AsOf, effects: Vec<Box<RawValue>>, cursor: Option<u64>) -> Self {
        History { as_of, effects, cursor }
    }
}
