//! Account events that are not trades: records, lines, openings, cash, transfers and other collateral.

use super::books::{Account, Contract, MAX_MONEY, MAX_QUANTITY};
use super::json::{Object, Value, money, rate, text};
use super::stream::Generator;
use super::time::date_text;
use std::collections::BTreeMap;

const CLASSES: [&str; 4] = ["individual", "institution", "product", "private_fund"];
/// Usual annual rates, in units of 1/10^8.
pub(super) const RATES: [i64; 6] = [0, 0, 8_350_000, 6_000_000, 10_600_000, 99_999_999];

/// A balance before it is an `opening`.
#[derive(Clone, Debug, Default)]
struct Balance {
    cash: i128,
    other: i128,
    receivables: Option<i128>,
    positions: BTreeMap<usize, i64>,
    contracts: Vec<Contract>,
}

impl Generator {
    /// The accounts of the stream with their records, and balances for most of them.
    pub fn found_accounts(&mut self) {
        for index in 0..self.swarm.accounts {
            let code = match index {
                1 if self.swarm.unicode => "账户\"一\"".to_owned(),
                2 if self.swarm.unicode => "A\\2/é".to_owned(),
                _ => format!("A{index}"),
            };
            let class = *self.rng.pick(&CLASSES);
            let huge = self.rng.chance(self.swarm.huge);
            self.accounts.push(Account::new(code, class, huge));
        }
        for index in 0..self.accounts.len() {
            if self.rng.chance(900) {
                self.send_account(index);
                if self.rng.chance(850) {
                    self.open_account(index, self.rng.clone().chance(600));
                }
            }
            if self.rng.chance(80) {
                self.now += 1;
            }
        }
    }

    fn send_account(&mut self, index: usize) {
        let account = &self.accounts[index];
        let mut body = Object::from([
            ("account", text(account.code.clone())),
            ("customer", text(format!("C{}", index / 2))),
            ("client_class", text(account.class)),
        ]);
        if self.swarm.unicode || self.rng.chance(200) {
            body.set("name", text("张三 \u{1F600}"));
        }
        if self.rng.chance(150) {
            body.set("branch", text("B1"));
            body.set("manager", text("M"));
            body.set("rating", text("C4"));
            body.set("credit_line", money(self.rng.wide(0, 10_000_000_000)));
            body.set("contacts", Value::List(vec![text("app:1"), text("sms:2")]));
            body.set("opened", text(date_text(self.day - 500)));
        }
        if self.send_object("account", body).is_some() {
            self.accounts[index].known = true;
        }
    }

    /// An account's record, new or again with another class.
    pub fn account_record(&mut self) {
        let index = self.rng.below(self.accounts.len());
        if self.rng.chance(500) {
            self.accounts[index].class = *self.rng.pick(&CLASSES);
        }
        self.send_account(index);
    }

    /// Lines of an account's own, now or from a later date.
    pub fn own_lines(&mut self) {
        let Some(index) = self.some_account() else {
            return;
        };
        let mut body = Object::from([("account", text(self.accounts[index].code.clone()))]);
        let few = *self.rng.pick(&[200, 500, 900]);
        for (name, low, high) in super::config::LINE_RANGES {
            if !self.rng.chance(few) {
                continue;
            }
            let absent = !name.starts_with("restore") && name != "free" && self.rng.chance(180);
            let line = self.config_line(low, high);
            body.set(name, if absent { text("none") } else { Value::Dec(line.into(), 4) });
            if !absent && name != "free" {
                self.accounts[index].lines.push(line);
            }
        }
        let words: [(&str, &[&str]); 5] = [
            ("sale_floor", &["none", "last_settlement"]),
            ("deadline_time", &["15:00", "09:30"]),
            ("call_basis", &["settlement", "intraday"]),
            ("immediate_basis", &["settlement", "intraday"]),
            ("agreement", &["2026-1", "协议"]),
        ];
        for (name, choices) in words {
            if self.rng.chance(80) {
                body.set(name, text(*self.rng.pick(choices)));
            }
        }
        if self.rng.chance(80) {
            body.set("deadline_days", Value::Int(self.rng.range(1, 3).into()));
        }
        if self.rng.chance(250) {
            let ahead = *self.rng.pick(&[-1, 0, 1, 1, 2, 3, 30]);
            body.set("valid_from", text(date_text(self.day + ahead)));
        }
        self.send_object("lines", body);
    }

    /// A balance for some account, anywhere.
    pub fn opening(&mut self) {
        if let Some(index) = self.some_account() {
            self.open_account(index, false);
        }
    }

    /// A balance for some account at a line, or one unit beside it.
    pub fn target_opening(&mut self) {
        if let Some(index) = self.some_account() {
            self.open_account(index, true);
        }
    }

    fn open_account(&mut self, index: usize, at_line: bool) {
        let shorts = self.swarm.shorts;
        let mut balance = self.compose(index, shorts);
        if at_line {
            let line = self.some_line(index);
            let beside = i128::from(*self.rng.pick(&[-1, 0, 1, -1, 0, 1, -10_000, 10_000]));
            self.aim(index, &mut balance, line, beside);
        } else if self.rng.chance(100) {
            self.odd_contracts(&mut balance);
        }
        self.send_opening(index, balance);
    }

    /// Opens an account just above a line, by less than a day's interest, or a little below it with debts that
    /// bear none; `short_of` makes one short of that security its only debt.
    pub fn balance_near(
        &mut self,
        index: usize,
        line: i64,
        above: bool,
        short_of: Option<usize>,
    ) -> Option<()> {
        let mut balance = if let Some(security) = short_of {
            let mut only = Balance { receivables: Some(0), ..Balance::default() };
            let quantity = 100 * self.rng.range(1, 500);
            only.contracts.push(self.new_contract(true, security, quantity, 0));
            only
        } else {
            self.compose(index, self.swarm.shorts)
        };
        if balance.contracts.is_empty() {
            return None;
        }
        for contract in &mut balance.contracts {
            contract.rate = if above { 36_000_000 } else { 0 };
            contract.opened = contract.opened.min(self.day);
            contract.interest = if short_of.is_some() { 0 } else { contract.interest };
        }
        let lowest: i128 = balance.contracts.iter().map(|c| c.amount * 9 / 10_000).sum();
        let beside = if above { self.rng.wide(0, lowest) } else { -self.rng.wide(1, 1000) };
        self.aim(index, &mut balance, line, beside)?;
        self.send_opening(index, balance)
    }

    fn new_contract(&mut self, short: bool, security: usize, quantity: i64, amount: i128) -> Contract {
        self.versions += 1;
        let opened = self.day - *self.rng.pick(&[0, 0, 1, 5, 90, 1000, 3000]);
        let due = if self.rng.chance(700) {
            Some(opened + *self.rng.pick(&[0, 30, 180, 182, 365, 4000]))
        } else {
            None
        };
        Contract {
            id: format!("{}{}", if short { "S" } else { "F" }, self.versions),
            short,
            security,
            quantity,
            amount,
            interest: if self.rng.chance(300) { self.rng.wide(0, 5_000_000) } else { 0 },
            rate: *self.rng.pick(&RATES),
            opened,
            due,
        }
    }

    /// Positions and contracts of a size the account likes.
    fn compose(&mut self, index: usize, shorts: u32) -> Balance {
        let huge = self.accounts[index].huge;
        let mut balance = Balance::default();
        for _ in 0..self.rng.below(5) {
            let Some(security) = self.some_security() else {
                break;
            };
            let quantity = self.some_quantity(huge);
            balance.positions.insert(security, quantity);
        }
        for _ in 0..*self.rng.pick(&[0, 1, 1, 1, 2, 3]) {
            let Some(security) = self.some_security() else {
                break;
            };
            let mark = self.securities[security].mark().unwrap_or(100_000);
            let short = self.rng.chance(shorts);
            let quantity = if short {
                self.some_quantity(huge)
            } else {
                let tied: i64 = balance
                    .contracts
                    .iter()
                    .filter(|c| !c.short && c.security == security)
                    .map(|c| c.quantity)
                    .sum();
                let held = balance.positions.get(&security).copied().unwrap_or(0);
                *self.rng.pick(&[0, held - tied, (held - tied) / 2, (held - tied) / 100 * 100])
            };
            let percent = i128::from(self.rng.range(70, 130));
            let worth = i128::from(quantity.max(100)) * i128::from(mark.max(1)) * percent / 100;
            let amount = worth.clamp(1, MAX_MONEY - 1);
            let contract = self.new_contract(short, security, quantity, amount);
            balance.contracts.push(contract);
        }
        balance.cash = self.rng.wide(0, if huge { MAX_MONEY - 1 } else { 20_000_000_000 });
        if self.rng.chance(100) {
            balance.other = self.rng.wide(0, 2_000_000_000);
        }
        if self.rng.chance(100) {
            balance.receivables = Some(self.rng.wide(0, 50_000_000));
        }
        balance
    }

    fn some_quantity(&mut self, huge: bool) -> i64 {
        if huge {
            // The bound itself, and powers of two where a figure stops fitting into 64 bits.
            let top = MAX_QUANTITY - 1;
            if self.rng.chance(500) {
                return *self.rng.pick(&[top, top / 2, top / 16, top / 64, 1 << 36]);
            }
            return (1 << self.rng.range(28, 34)) + self.rng.range(-1, 1);
        }
        match self.rng.below(6) {
            0 => 1,
            1 => self.rng.range(1, 99),
            2 => self.rng.range(1, 100_000),
            _ => 100 * self.rng.range(1, 2000),
        }
    }

    /// Sets the cash so that assets are `line` times the debts plus `beside` units, with principals that leave
    /// the cash about positive.
    fn aim(&mut self, index: usize, balance: &mut Balance, line: i64, beside: i128) -> Option<()> {
        let mut trial = self.accounts[index].clone();
        let line_wide = i128::from(line);
        trial.cash = 0;
        trial.other = balance.other;
        trial.receivables = balance.receivables.unwrap_or(trial.receivables);
        trial.positions = balance.positions.clone();
        trial.contracts = balance.contracts.clone();
        let before = trial.figures(&self.securities)?;
        let financed: Vec<usize> =
            (0..trial.contracts.len()).filter(|i| !trial.contracts[*i].short).collect();
        if !financed.is_empty() && before.assets * 10_000 > before.debts * line_wide {
            let missing = before.assets * 10_000 / line_wide - before.debts;
            let extra = missing * i128::from(self.rng.range(1000, 1300)) / 1000;
            let each = extra / financed.len() as i128;
            for place in financed {
                let amount = (trial.contracts[place].amount + each).min(MAX_MONEY - 1);
                trial.contracts[place].amount = amount;
            }
        }
        if trial.figures(&self.securities)?.debts == 0 {
            return None;
        }
        let cash = trial.shortfall(&self.securities, line)? + beside;
        if cash.abs() >= MAX_MONEY {
            return None;
        }
        balance.contracts = trial.contracts;
        balance.cash = cash;
        Some(())
    }

    /// Contracts an opening has to bring to the rules: no principal but shares, no shares but a sale amount.
    fn odd_contracts(&mut self, balance: &mut Balance) {
        for contract in &mut balance.contracts {
            match self.rng.below(4) {
                0 => contract.amount = 0,
                1 if contract.short => contract.quantity = 0,
                2 => (contract.amount, contract.interest) = (0, 0),
                _ => contract.interest = 1,
            }
        }
    }

    fn contract_value(&mut self, contract: &Contract) -> Value {
        let mut body = Object::from([
            ("contract", text(contract.id.clone())),
            ("side", text(if contract.short { "short" } else { "financing" })),
            ("security", text(self.securities[contract.security].code.clone())),
            ("quantity", Value::Int(contract.quantity.into())),
            ("amount", money(contract.amount)),
            ("opened", text(date_text(contract.opened))),
        ]);
        if contract.interest > 0 || self.rng.chance(300) {
            body.set("interest", money(contract.interest));
        }
        if contract.rate > 0 || self.rng.chance(300) {
            body.set("rate", rate(contract.rate));
        }
        if let Some(due) = contract.due {
            body.set("due", text(date_text(due)));
        }
        if self.rng.chance(500) {
            body.set("margin_ratio", Value::Dec(*self.rng.pick(&[5000, 8000, 10_000, 12_000]), 4));
        }
        Value::Object(body)
    }

    fn send_opening(&mut self, index: usize, balance: Balance) -> Option<()> {
        let mut body = Object::from([
            ("account", text(self.accounts[index].code.clone())),
            ("cash", money(balance.cash)),
        ]);
        let mut positions = Vec::new();
        for (security, quantity) in &balance.positions {
            let code = text(self.securities[*security].code.clone());
            let count = Value::Int(i128::from(*quantity));
            let mut position = Object::from([("security", code), ("quantity", count)]);
            if self.rng.chance(100) {
                position.set("sellable", Value::Int((quantity / 2).into()));
                position.set("frozen", Value::Int((quantity / 3).into()));
            }
            positions.push(Value::Object(position));
        }
        if !positions.is_empty() || self.rng.chance(500) {
            body.set("positions", Value::List(positions));
        }
        let mut contracts = Vec::new();
        for contract in &balance.contracts {
            contracts.push(self.contract_value(contract));
        }
        if !contracts.is_empty() || self.rng.chance(500) {
            body.set("contracts", Value::List(contracts));
        }
        if balance.other > 0 {
            body.set("other_collateral", money(balance.other));
        }
        if let Some(amount) = balance.receivables {
            let mut item = Object::from([("amount", money(amount))]);
            if self.rng.chance(600) {
                item.set("pay_date", text(date_text(self.day + self.rng.range(-1, 4))));
            }
            let items = if amount > 0 { vec![Value::Object(item)] } else { Vec::new() };
            body.set("receivables", Value::List(items));
        }
        self.send_object("opening", body)?;
        let account = &mut self.accounts[index];
        account.cash = balance.cash;
        account.other = balance.other;
        account.receivables = balance.receivables.unwrap_or(account.receivables);
        account.positions = balance.positions;
        account.contracts = balance.contracts;
        for contract in &mut account.contracts {
            if contract.short && contract.quantity == 0 {
                contract.amount = 0;
            }
            if !contract.short && contract.amount == 0 {
                contract.quantity = 0;
            }
        }
        account.settle();
        Some(())
    }

    /// Cash in or out for any reason.
    pub fn cash(&mut self) {
        let Some(index) = self.some_account() else {
            return;
        };
        let cash = self.accounts[index].cash;
        let size = self.rng.wide(1, (cash.abs() / 2).max(1_000_000));
        match self.rng.below(6) {
            0 | 1 => self.move_cash(index, size, "deposit"),
            2 | 3 if cash > 0 => {
                let out = *self.rng.pick(&[1, cash, size.min(cash), cash + 1]);
                self.move_cash(index, -out, "withdrawal");
            }
            _ => {
                let reason = *self.rng.pick(&["fee", "dividend", "adjustment"]);
                let sign = if self.rng.chance(500) { 1 } else { -1 };
                self.move_cash(index, sign * size, reason);
            }
        }
    }

    fn move_cash(&mut self, index: usize, amount: i128, reason: &str) {
        let account = &self.accounts[index];
        let impossible = reason == "withdrawal" && -amount > account.cash;
        let sent = self.send(
            "cash",
            [("account", text(account.code.clone())), ("amount", money(amount)), ("reason", text(reason))],
        );
        if sent.is_some() && !impossible {
            self.accounts[index].cash += amount;
        }
    }

    /// A deposit of that amount.
    pub fn bring_cash(&mut self, index: usize, amount: i128) {
        self.move_cash(index, amount, "deposit");
    }

    /// Cash that brings an account to a line or one unit beside it.
    pub fn steer_cash(&mut self) {
        let Some(index) = self.some_debtor() else {
            return;
        };
        let line = self.some_line(index);
        let Some(missing) = self.accounts[index].shortfall(&self.securities, line) else {
            return;
        };
        let amount = missing + i128::from(self.rng.range(-1, 1));
        if amount == 0 || amount.abs() >= MAX_MONEY {
            return;
        }
        let reason = match self.rng.below(3) {
            0 if amount > 0 => "deposit",
            0 if -amount <= self.accounts[index].cash => "withdrawal",
            1 => "dividend",
            _ => "adjustment",
        };
        self.move_cash(index, amount, reason);
    }

    /// Shares in, or free shares out.
    pub fn transfer(&mut self) {
        let Some(index) = self.some_account() else {
            return;
        };
        let held: Vec<usize> = self.accounts[index].positions.keys().copied().collect();
        let (security, quantity) = if !held.is_empty() && self.rng.chance(550) {
            let security = *self.rng.pick(&held);
            let free = self.accounts[index].free(security);
            let out = *self.rng.pick(&[1, free, free, free / 2, free + 1]);
            (security, -out.max(1))
        } else {
            let Some(security) = self.some_security() else {
                return;
            };
            (security, self.some_quantity(false))
        };
        let account = &self.accounts[index];
        let impossible = quantity < 0 && -quantity > account.free(security);
        let sent = self.send(
            "transfer",
            [
                ("account", text(account.code.clone())),
                ("security", text(self.securities[security].code.clone())),
                ("quantity", Value::Int(quantity.into())),
            ],
        );
        if sent.is_some() && !impossible {
            self.accounts[index].add(security, quantity);
        }
    }

    /// A value agreed with the broker.
    pub fn other_collateral(&mut self) {
        let Some(index) = self.some_account() else {
            return;
        };
        let value = *self.rng.pick(&[0_i64, 1, 10_000_000, 3_000_000_000]);
        let mut body =
            Object::from([("account", text(self.accounts[index].code.clone())), ("value", money(value))]);
        if self.rng.chance(300) {
            body.set("note", text("房产"));
        }
        if self.send_object("other_collateral", body).is_some() {
            self.accounts[index].other = value.into();
        }
    }
}
