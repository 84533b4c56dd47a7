//! What each type of input does to the state, after its own form was checked; refusals in their documented order.

use num_traits::{Signed, Zero};

use crate::account::{Account, Balance, Contract, Order, Receivable};
use crate::actions::{Action, Group};
use crate::cause::Move;
use crate::engine::{Engine, Input};
use crate::fills;
use crate::json::{Object, Value};
use crate::market::Stored;
use crate::policy::{self, Stated};
use crate::tables::rows_of;
use crate::time::{local_date, midnight};
use crate::wire::{Fields, Refusal, refuse};

type Applied = Result<(), Refusal>;

impl Engine {
    /// Applies one input or refuses it whole.
    pub fn apply(&mut self, input: &Input) -> Applied {
        let f = &Fields(input.object);
        match input.envelope.kind.as_str() {
            "security" => self.security(input, f),
            "quote" => self.quote(input, f),
            "index" => self.index(input, f),
            "mark" => self.mark(input, f),
            "corporate_action" => self.corporate_action(input, f),
            "account" => self.account(f),
            "lines" => self.lines(input, f),
            "opening" => self.opening(input, f),
            "cash" => self.cash(input, f),
            "transfer" => self.transfer(input, f),
            "fill" => self.fill(input, f),
            "repay" => self.repay(input, f),
            "interest" => self.interest(input, f),
            "extend" => self.extend(input, f),
            "order" => self.order(f),
            "other_collateral" => self.other_collateral(input, f),
            "day_start" => self.day_start(input, f),
            "day_end" => self.day_end(input, f),
            "policy" => self.take_policy(input, f),
            "rules" => self.take_rules(f),
            "calendar" => self.take_calendar(input, f),
            _ => Ok(()),
        }
    }

    fn known_account(&self, f: &Fields) -> Result<usize, Refusal> {
        match self.by_name.get(f.need("account")) {
            Some(ordinal) => Ok(*ordinal),
            None => refuse("unknown_account", f.need("account")),
        }
    }

    fn known_security(&self, f: &Fields) -> Result<usize, Refusal> {
        match self.market.by_code.get(f.need("security")) {
            Some(security) => Ok(*security),
            None => refuse("unknown_security", f.need("security")),
        }
    }

    fn known_contract(&self, ordinal: usize, f: &Fields) -> Result<usize, Refusal> {
        match self.accounts[ordinal].balance.find(f.need("contract")) {
            Some(place) => Ok(place),
            None => refuse("unknown_contract", f.need("contract")),
        }
    }

    /// Changes a balance on a copy, keeps it if it stays in range, and notes the move for causes.
    fn change(
        &mut self,
        ordinal: usize,
        input: &Input,
        key: &str,
        change: impl FnOnce(&mut Balance) -> Applied,
    ) -> Applied {
        let before = self.accounts[ordinal].balance.clone();
        let mut after = before.clone();
        change(&mut after)?;
        if !after.in_range() {
            return refuse("out_of_range", "a figure of the account leaves its bounds");
        }
        self.accounts[ordinal].balance = after.clone();
        self.happened.moves.push(Move {
            account: ordinal,
            order: input.order,
            kind: input.envelope.kind.clone(),
            key: key.to_owned(),
            input: input.reference(),
            before,
            after,
            action: None,
        });
        Ok(())
    }

    fn against(&mut self, ordinal: usize, act: usize) {
        if self.accounts[ordinal].acts[act] {
            let name = self.accounts[ordinal].name.clone();
            self.alarm("against_restriction", &name, crate::tables::ACTS[act]);
        }
    }

    fn security(&mut self, input: &Input, f: &Fields) -> Applied {
        let code = f.need("security");
        if code.ends_with(".HK") || code.ends_with(".KR") {
            return refuse("currency", code);
        }
        let next = self.market.securities.len();
        let security = *self.market.by_code.entry(code.to_owned()).or_insert(next);
        if security == next {
            self.market.securities.push(Default::default());
        }
        self.market.securities[security].upsert(f, input.envelope.at, &self.market.levels);
        self.note_marks(input, "security", Some(security));
        Ok(())
    }

    /// Refuses what is older than the last accepted of its source and name.
    fn in_time(&self, input: &Input, name: &str) -> Result<(String, String, String), Refusal> {
        let key = (input.envelope.kind.clone(), input.envelope.source.clone(), name.to_owned());
        match self.accepted_at.get(&key) {
            Some(last) if *last > input.envelope.at => refuse("time_backwards", name),
            _ => Ok(key),
        }
    }

    fn quote(&mut self, input: &Input, f: &Fields) -> Applied {
        let key = self.in_time(input, f.need("security"))?;
        let given = |name: &str| f.decimal(name, 4).filter(|v| !v.is_zero());
        let phase = f.text("phase").unwrap_or("continuous");
        if let Some(price) = f.decimal("price", 4) {
            let above = given("limit_up").is_some_and(|limit| price > limit);
            let below = given("limit_down").is_some_and(|limit| price < limit);
            if !price.is_positive() || above || below {
                return refuse("quarantined", "price outside the day's limits or not above zero");
            }
        }
        if let (Some(bid), Some(ask)) = (given("bid1"), given("ask1"))
            && phase == "continuous"
            && bid > ask
        {
            return refuse("quarantined", "crossed book");
        }
        let security = self.known_security(f)?;
        let set_on = self.today();
        let stored = |price| Stored { price, set_on };
        let s = &mut self.market.securities[security];
        if let Some(prev) = given("prev_close") {
            s.prev = Some(stored(prev));
        }
        let indicative = matches!(phase, "pre_open" | "open_auction" | "auction_no_cancel" | "close_auction");
        if let Some(price) = f.decimal("price", 4).filter(|_| !indicative) {
            s.last = Some(stored(price));
        }
        self.accepted_at.insert(key, input.envelope.at);
        self.note_marks(input, "price", Some(security));
        Ok(())
    }

    fn index(&mut self, input: &Input, f: &Fields) -> Applied {
        let key = self.in_time(input, f.need("index"))?;
        self.accepted_at.insert(key, input.envelope.at);
        self.market.levels.insert(f.need("index").to_owned(), f.money("level"));
        self.note_marks(input, "price", None);
        Ok(())
    }

    fn mark(&mut self, input: &Input, f: &Fields) -> Applied {
        let security = self.known_security(f)?;
        let set_on = self.today();
        self.market.securities[security].manual = f.decimal("price", 4).map(|price| Stored { price, set_on });
        self.note_marks(input, "mark", Some(security));
        Ok(())
    }

    fn corporate_action(&mut self, input: &Input, f: &Fields) -> Applied {
        let action = Action::of_event(f, self.known_security(f)?);
        match self.last_day_start {
            Some(started) if action.ex_date <= started => {
                let group =
                    Group { ex_date: action.ex_date, paid_through: Some(started), actions: &[action] };
                self.act(input, &group);
            }
            _ => self.pending.push(action),
        }
        Ok(())
    }

    /// One group of actions on prices and on every account concerned.
    fn act(&mut self, input: &Input, group: &Group) {
        let security = group.actions[0].security;
        let today = self.today();
        let mark_before = self.market.mark(security, today, &self.policy);
        let price = group.adjust_prices(&mut self.market.securities[security]);
        let mark_after = self.market.mark(security, today, &self.policy);
        let key = self.market.securities[security].code.clone();
        for ordinal in 0..self.accounts.len() {
            let balance = &mut self.accounts[ordinal].balance;
            if !group.concerns(balance, security) {
                continue;
            }
            let before = balance.clone();
            group.apply(balance, security, price.as_ref());
            self.happened.moves.push(Move {
                account: ordinal,
                order: input.order,
                kind: "corporate_action".to_owned(),
                key: key.clone(),
                input: input.reference(),
                before,
                after: balance.clone(),
                action: Some((security, mark_before.clone(), mark_after.clone())),
            });
        }
        self.note_marks(input, "corporate_action", Some(security));
    }

    fn account(&mut self, f: &Fields) -> Applied {
        let next = self.accounts.len();
        let ordinal = *self.by_name.entry(f.need("account").to_owned()).or_insert(next);
        if ordinal == next {
            let acts = self.policy.restrictions[0];
            self.accounts.push(Account { name: f.need("account").to_owned(), acts, ..Account::default() });
        }
        let account = &mut self.accounts[ordinal];
        account.customer = f.need("customer").to_owned();
        account.client_class = f.need("client_class").to_owned();
        Ok(())
    }

    fn lines(&mut self, input: &Input, f: &Fields) -> Applied {
        let ordinal = self.known_account(f)?;
        let today = local_date(self.now());
        let account = &mut self.accounts[ordinal];
        let stated = Stated::of_event(f);
        let after = account.own.under(&stated);
        if let Some(what) = self.policy.resolve(&account.client_class, &after).fault() {
            return refuse("bad_lines", what);
        }
        match f.date("valid_from").filter(|from| *from > today) {
            Some(from) => account.waiting.push((from, stated)),
            None => {
                account.own = after;
                self.happened.lines.insert(ordinal, Some(input.reference()));
            }
        }
        Ok(())
    }

    fn opening(&mut self, input: &Input, f: &Fields) -> Applied {
        let ordinal = self.known_account(f)?;
        let mut fresh = Balance { cash: f.money("cash"), ..Balance::default() };
        fresh.other_collateral = f.money("other_collateral");
        for position in f.structs("positions") {
            let security = self.known_security(&position)?;
            fresh.add_position(security, &position.quantity("quantity"));
        }
        let class = self.accounts[ordinal].client_class.clone();
        for c in f.structs("contracts") {
            let security = self.known_security(&c)?;
            let short = c.text("side") == Some("short");
            let opened = c.date("opened").unwrap_or(0);
            let minimum = || self.tables.minimum(short, &class, midnight(opened)).map(|(ratio, _)| ratio);
            let day_before = local_date(input.envelope.at) - 1;
            fresh.enter(Contract {
                id: c.need("contract").to_owned(),
                short,
                security,
                quantity: c.quantity("quantity"),
                amount: c.money("amount"),
                interest: c.money("interest"),
                rate: c.rate("rate").unwrap_or(0),
                opened,
                due: c.date("due"),
                margin_ratio: c.ratio("margin_ratio").or_else(minimum).unwrap_or(0),
                accrued_through: self.last_day_end.map_or(day_before, |day| day.max(day_before)),
                entry: 0,
            });
        }
        let stated = f.get("receivables").is_some();
        for r in f.structs("receivables") {
            fresh.receivables.push(Receivable { amount: r.money("amount"), pay_date: r.date("pay_date") });
        }
        fresh.settle();
        let name = f.need("account");
        self.change(ordinal, input, name, |b| {
            if !stated {
                fresh.receivables = std::mem::take(&mut b.receivables);
            }
            *b = fresh;
            Ok(())
        })?;
        self.accounts[ordinal].suspect = false;
        Ok(())
    }

    fn cash(&mut self, input: &Input, f: &Fields) -> Applied {
        let ordinal = self.known_account(f)?;
        let amount = f.money("amount");
        let withdrawal = f.text("reason") == Some("withdrawal");
        self.change(ordinal, input, f.need("account"), |b| {
            if withdrawal && -&amount > b.cash {
                return refuse("insufficient_cash", "more than the cash");
            }
            b.cash += amount;
            Ok(())
        })?;
        if withdrawal {
            self.against(ordinal, 3);
        }
        Ok(())
    }

    fn transfer(&mut self, input: &Input, f: &Fields) -> Applied {
        let ordinal = self.known_account(f)?;
        let security = self.known_security(f)?;
        let quantity = f.quantity("quantity");
        let out = quantity.is_negative();
        self.change(ordinal, input, f.need("security"), |b| {
            if out && -&quantity > b.free(security) {
                return refuse("insufficient_position", "more than the free shares");
            }
            b.add_position(security, &quantity);
            Ok(())
        })?;
        if out {
            self.against(ordinal, 4);
        }
        Ok(())
    }

    fn fill(&mut self, input: &Input, f: &Fields) -> Applied {
        let ordinal = self.known_account(f)?;
        let security = self.known_security(f)?;
        let side = f.need("side");
        let class = &self.accounts[ordinal].client_class;
        let usual = self.market.securities[security].margin_ratio(
            side == "short_sell",
            class,
            input.envelope.at,
            &self.tables,
        );
        let fill = fills::Fill {
            side,
            security,
            quantity: f.quantity("quantity"),
            price: f.money("price"),
            fee: f.money("fee"),
            contract: f.text("contract"),
            rate: f.rate("rate"),
            due: f.date("due"),
            margin_ratio: f.ratio("margin_ratio").unwrap_or(usual),
            own_name: format!("{}/{}", input.envelope.source, input.envelope.id),
            date: local_date(input.envelope.at),
        };
        let policy = self.policy.clone();
        self.change(ordinal, input, f.need("security"), |b| fills::fill(b, &fill, &policy))?;
        match side {
            "margin_buy" => self.against(ordinal, 0),
            "short_sell" => self.against(ordinal, 1),
            "collateral_buy" => self.against(ordinal, 2),
            _ => {}
        }
        Ok(())
    }

    fn repay(&mut self, input: &Input, f: &Fields) -> Applied {
        let ordinal = self.known_account(f)?;
        let place = self.known_contract(ordinal, f)?;
        if f.get("quantity").is_some() && !self.accounts[ordinal].balance.contracts[place].short {
            return refuse("bad_value", "quantity for a financing contract");
        }
        let policy = self.policy.clone();
        self.change(ordinal, input, f.need("contract"), |b| fills::repay(b, place, f, &policy))
    }

    fn interest(&mut self, input: &Input, f: &Fields) -> Applied {
        let ordinal = self.known_account(f)?;
        let place = self.known_contract(ordinal, f)?;
        self.change(ordinal, input, f.need("contract"), |b| fills::interest(b, place, f))
    }

    fn extend(&mut self, input: &Input, f: &Fields) -> Applied {
        let ordinal = self.known_account(f)?;
        let place = self.known_contract(ordinal, f)?;
        let account = &mut self.accounts[ordinal];
        let c = &mut account.balance.contracts[place];
        c.due = f.date("due");
        if let Some(rate) = f.rate("rate") {
            c.rate = rate;
        }
        let at = input.envelope.at;
        if let Some(ratio) = f.ratio("margin_ratio") {
            c.margin_ratio = ratio;
        } else if let Some((_, true)) = self.tables.minimum(c.short, &account.client_class, at) {
            let security = &self.market.securities[c.security];
            c.margin_ratio = security.margin_ratio(c.short, &account.client_class, at, &self.tables);
        }
        Ok(())
    }

    fn order(&mut self, f: &Fields) -> Applied {
        let ordinal = self.known_account(f)?;
        let security = self.known_security(f)?;
        let remaining = f.quantity("remaining");
        let orders = &mut self.accounts[ordinal].orders;
        orders.remove(f.need("order"));
        if f.text("status") == Some("open") && remaining.is_positive() {
            let order =
                Order { side: f.need("side").to_owned(), security, price: f.money("price"), remaining };
            orders.insert(f.need("order").to_owned(), order);
        }
        Ok(())
    }

    fn other_collateral(&mut self, input: &Input, f: &Fields) -> Applied {
        let ordinal = self.known_account(f)?;
        self.change(ordinal, input, f.need("account"), |b| {
            b.other_collateral = f.money("value");
            Ok(())
        })
    }

    /// Interest of every contract through a day.
    fn accrue(&mut self, day: i64, input: &Input) {
        self.happened.day = Some(input.reference());
        for (ordinal, account) in self.accounts.iter_mut().enumerate() {
            for c in &mut account.balance.contracts {
                let before = c.interest.clone();
                c.accrue_through(day, &self.policy);
                if c.interest > before {
                    self.happened.accrued.push(ordinal);
                }
            }
        }
    }

    fn day_start(&mut self, input: &Input, f: &Fields) -> Applied {
        let date = f.date("date").unwrap_or(0);
        if self.last_day_start.is_some_and(|last| date <= last)
            || self.last_day_end.is_some_and(|last| date <= last)
        {
            return refuse("date_order", "not later than the days before");
        }
        self.accrue(date - 1, input);
        let (mut due, wait): (Vec<_>, Vec<_>) = self.pending.drain(..).partition(|a| a.ex_date <= date);
        self.pending = wait;
        due.sort_by_key(|a| (a.ex_date, a.security));
        for actions in due.chunk_by(|a, b| (a.ex_date, a.security) == (b.ex_date, b.security)) {
            self.act(input, &Group { actions, ex_date: actions[0].ex_date, paid_through: None });
        }
        for account in &mut self.accounts {
            let b = &mut account.balance;
            let (paid, open) =
                b.receivables.drain(..).partition(|r| r.pay_date.is_some_and(|pay| pay <= date));
            b.receivables = open;
            let paid: Vec<Receivable> = paid;
            for receivable in paid {
                b.cash += receivable.amount;
            }
        }
        for s in &mut self.market.securities {
            if let Some(last) = s.last.take() {
                s.prev = Some(last);
            }
        }
        self.last_day_start = Some(date);
        self.market.day_starts.insert(date);
        self.note_marks(input, "price", None);
        Ok(())
    }

    fn day_end(&mut self, input: &Input, f: &Fields) -> Applied {
        let date = f.date("date").unwrap_or(0);
        if self.last_day_end.is_some_and(|last| date <= last)
            || self.last_day_start.is_some_and(|last| date < last)
        {
            return refuse("date_order", "not later than the days before");
        }
        self.accrue(date, input);
        for account in &mut self.accounts {
            account.orders.clear();
        }
        self.last_day_end = Some(date);
        self.settlement = true;
        Ok(())
    }

    fn take_policy(&mut self, input: &Input, f: &Fields) -> Applied {
        let Some(Value::Object(tree)) = f.get("policy") else { return refuse("bad_value", "policy") };
        match policy::read(tree, &self.tables) {
            Ok(policy) => {
                self.policy = policy;
                self.happened.policy = Some(input.reference());
                self.note_marks(input, "policy", None);
                Ok(())
            }
            Err(faults) => {
                let code = if faults.iter().all(|fault| fault.order) { "bad_lines" } else { "bad_value" };
                let texts: Vec<String> = faults.into_iter().map(|fault| fault.text).collect();
                refuse(code, texts.join("; "))
            }
        }
    }

    fn take_rules(&mut self, f: &Fields) -> Applied {
        let rows: Vec<&Object> = f.structs("rows").iter().map(|row| row.0).collect();
        match rows_of(f.need("table"), &rows) {
            Ok(rows) => {
                self.tables.replace(f.need("table"), rows);
                Ok(())
            }
            Err(what) => refuse("bad_value", what),
        }
    }

    fn take_calendar(&mut self, input: &Input, f: &Fields) -> Applied {
        let sessions: Vec<&Object> = f.structs("sessions").iter().map(|row| row.0).collect();
        if let Err(what) = rows_of("sessions", &sessions) {
            return refuse("bad_value", what);
        }
        let dates = f.texts("dates").iter().filter_map(|text| crate::time::date(text)).collect();
        self.market.calendar = Some(dates);
        self.note_marks(input, "calendar", None);
        Ok(())
    }
}
