//! Trades and what follows them: fills, repayments, interest, extensions, and orders in flight.

use super::accounts::RATES;
use super::books::{Contract, MAX_QUANTITY};
use super::json::{Object, Value, money, rate, text};
use super::stream::Generator;
use super::swarm::SIDES;
use super::time::date_text;

/// A fill before it is written.
struct Fill {
    account: usize,
    side: &'static str,
    security: usize,
    quantity: i64,
    price: i64,
    fee: i128,
    contract: Option<String>,
}

impl Generator {
    /// A fill of any side, possible as far as the books know, sometimes by one share too many.
    pub fn fill(&mut self) {
        let side = SIDES[self.rng.weighted(&self.swarm.sides)];
        let Some(account) = self.filled_account(side) else {
            return;
        };
        let Some(security) = self.filled_security(account, side) else {
            return;
        };
        let mark = self.securities[security].mark().unwrap_or(100_000).max(1);
        let price = match self.rng.below(5) {
            0 => mark,
            1 => (mark + self.rng.range(-1, 1)).max(1),
            _ => (mark * self.rng.range(950, 1050) / 1000).max(1),
        };
        let quantity = self.filled_quantity(account, side, security);
        if quantity <= 0 || quantity >= MAX_QUANTITY {
            return;
        }
        let fee = if self.rng.chance(400) { self.rng.wide(0, 500_000) } else { 0 };
        let contract = self.filled_contract(account, side, security);
        let fill = Fill { account, side, security, quantity, price, fee, contract };
        self.send_fill(fill);
    }

    fn filled_account(&mut self, side: &str) -> Option<usize> {
        for _ in 0..8 {
            let account = self.some_account()?;
            let books = &self.accounts[account];
            let fits = match side {
                "collateral_sell" => !books.positions.is_empty(),
                "sell_to_repay" => !books.positions.is_empty() && books.contracts.iter().any(|c| !c.short),
                "buy_to_cover" => books.contracts.iter().any(|c| c.short && c.quantity > 0),
                _ => true,
            };
            if fits {
                return Some(account);
            }
        }
        None
    }

    fn filled_security(&mut self, account: usize, side: &str) -> Option<usize> {
        let books = &self.accounts[account];
        let places: Vec<usize> = match side {
            "collateral_sell" | "sell_to_repay" => books.positions.keys().copied().collect(),
            "buy_to_cover" => {
                let shorts = books.contracts.iter().filter(|c| c.short && c.quantity > 0);
                shorts.map(|c| c.security).collect()
            }
            _ => Vec::new(),
        };
        if places.is_empty() { self.some_security() } else { Some(*self.rng.pick(&places)) }
    }

    fn filled_quantity(&mut self, account: usize, side: &str, security: usize) -> i64 {
        let books = &self.accounts[account];
        let whole = match side {
            "collateral_sell" | "sell_to_repay" => books.held(security),
            "buy_to_cover" => books.owed(security),
            _ => 0,
        };
        if whole > 0 {
            let extra = if side == "buy_to_cover" { whole / 10 + 1 } else { 0 };
            return match self.rng.below(20) {
                0..=4 => whole,
                5 => 1,
                6 => whole + 1,
                7 => whole + extra,
                8 => whole - 1,
                _ => self.rng.range(1, whole),
            };
        }
        match self.rng.below(8) {
            0 => 1,
            1 => self.rng.range(1, 99),
            2 if books.huge => MAX_QUANTITY / 64,
            _ => 100 * self.rng.range(1, 500),
        }
    }

    fn filled_contract(&mut self, account: usize, side: &str, security: usize) -> Option<String> {
        let books = &self.accounts[account];
        let open: Vec<String> = match side {
            "margin_buy" | "sell_to_repay" => {
                let financing = books.contracts.iter().filter(|c| !c.short);
                let same = side != "margin_buy";
                financing.filter(|c| same || c.security == security).map(|c| c.id.clone()).collect()
            }
            "short_sell" | "buy_to_cover" => {
                let shorts = books.contracts.iter().filter(|c| c.short && c.security == security);
                shorts.map(|c| c.id.clone()).collect()
            }
            _ => Vec::new(),
        };
        let opens = side == "margin_buy" || side == "short_sell";
        match self.rng.below(10) {
            0..=4 if !open.is_empty() => Some(self.rng.pick(&open).clone()),
            0..=5 if opens => {
                self.versions += 1;
                Some(format!("N{}", self.versions))
            }
            9 if !opens && self.rng.chance(100) => Some("nothing".to_owned()),
            _ => None,
        }
    }

    fn send_fill(&mut self, fill: Fill) {
        let mut body = Object::from([
            ("account", text(self.accounts[fill.account].code.clone())),
            ("side", text(fill.side)),
            ("security", text(self.securities[fill.security].code.clone())),
            ("quantity", Value::Int(fill.quantity.into())),
            ("price", money(fill.price)),
        ]);
        if fill.fee > 0 || self.rng.chance(100) {
            body.set("fee", money(fill.fee));
        }
        if let Some(contract) = &fill.contract {
            body.set("contract", text(contract.clone()));
        }
        if self.rng.chance(100) {
            body.set("order", text("o1"));
        }
        let annual = *self.rng.pick(&RATES);
        let due = self.day + self.rng.range(0, 400);
        if annual > 0 {
            body.set("rate", rate(annual));
        }
        let with_due = self.rng.chance(300);
        if with_due {
            body.set("due", text(date_text(due)));
        }
        if self.rng.chance(300) {
            body.set("margin_ratio", Value::Dec(*self.rng.pick(&[0, 5000, 8000, 15_000]), 4));
        }
        if let Some(sent) = self.send_object("fill", body) {
            self.book_fill(&fill, &sent.name, annual, with_due.then_some(due));
        }
    }

    fn book_fill(&mut self, fill: &Fill, name: &str, annual: i64, due: Option<i64>) {
        let day = self.day;
        let gross = i128::from(fill.quantity) * i128::from(fill.price);
        let account = &mut self.accounts[fill.account];
        match fill.side {
            "collateral_buy" | "subscribe" => {
                account.cash -= gross + fill.fee;
                account.add(fill.security, fill.quantity);
            }
            "margin_buy" | "short_sell" => {
                let short = fill.side == "short_sell";
                account.cash += if short { gross - fill.fee } else { -fill.fee };
                if !short {
                    account.add(fill.security, fill.quantity);
                }
                let id = fill.contract.clone().unwrap_or_else(|| name.to_owned());
                if let Some(contract) = account.contracts.iter_mut().find(|c| c.id == id) {
                    contract.quantity += fill.quantity;
                    contract.amount += gross;
                    return;
                }
                account.contracts.push(Contract {
                    id,
                    short,
                    security: fill.security,
                    quantity: fill.quantity,
                    amount: gross,
                    interest: 0,
                    rate: annual,
                    opened: day,
                    due: Some(due.unwrap_or(day + 182)),
                });
            }
            "buy_to_cover" => self.book_cover(fill, gross),
            _ => self.book_sale(fill, gross),
        }
    }

    fn book_cover(&mut self, fill: &Fill, gross: i128) {
        let account = &mut self.accounts[fill.account];
        if account.owed(fill.security) == 0 {
            return;
        }
        account.cash -= gross + fill.fee;
        let mut left = fill.quantity;
        let mut order = account.contract_order();
        order.sort_by_key(|i| Some(&account.contracts[*i].id) != fill.contract.as_ref());
        for place in order {
            let contract = &mut account.contracts[place];
            if contract.short && contract.security == fill.security {
                let covered = left.min(contract.quantity);
                contract.cover(covered);
                left -= covered;
            }
        }
        if left > 0 {
            account.add(fill.security, left);
        }
        account.settle();
    }

    fn book_sale(&mut self, fill: &Fill, gross: i128) {
        let account = &mut self.accounts[fill.account];
        if account.held(fill.security) < fill.quantity {
            return;
        }
        let mut tied = (fill.quantity - account.free(fill.security)).max(0);
        account.cash += gross - fill.fee;
        account.add(fill.security, -fill.quantity);
        let repays = fill.side == "sell_to_repay";
        let mut left = if repays { (gross - fill.fee).max(0) } else { 0 };
        if repays {
            tied = fill.quantity;
        }
        let mut order = account.contract_order();
        order.sort_by_key(|i| Some(&account.contracts[*i].id) != fill.contract.as_ref());
        for place in &order {
            let contract = &mut account.contracts[*place];
            if contract.short || contract.security != fill.security || tied == 0 {
                continue;
            }
            let sold = tied.min(contract.quantity);
            tied -= sold;
            contract.quantity -= sold;
            let own = i128::from(sold) * i128::from(fill.price);
            let paid = if repays { own.min(left) } else { own };
            let rest = contract.apply(paid, false);
            account.cash -= paid - rest;
            if repays {
                left -= paid - rest;
            }
        }
        for place in order {
            let contract = &mut account.contracts[place];
            if !contract.short && left > 0 {
                let rest = contract.apply(left, true);
                account.cash -= left - rest;
                left = rest;
            }
        }
        account.settle();
    }

    fn some_contract(&mut self) -> Option<(usize, usize)> {
        let account = self.some_debtor()?;
        let count = self.accounts[account].contracts.len();
        (count > 0).then(|| (account, self.rng.below(count)))
    }

    /// A repayment in cash, or in own shares for a short.
    pub fn repay(&mut self) {
        let Some((account, place)) = self.some_contract() else {
            return;
        };
        let books = &self.accounts[account];
        let contract = books.contracts[place].clone();
        let mut body =
            Object::from([("account", text(books.code.clone())), ("contract", text(contract.id.clone()))]);
        let shares = books.free(contract.security).min(contract.quantity);
        if contract.short && (contract.interest == 0 || self.rng.chance(500)) {
            let quantity = *self.rng.pick(&[shares, shares, shares / 2, 1, shares + 1]);
            let quantity = quantity.max(1);
            body.set("quantity", Value::Int(quantity.into()));
            if self.send_object("repay", body).is_some() && quantity <= shares {
                let books = &mut self.accounts[account];
                books.add(contract.security, -quantity);
                books.contracts[place].cover(quantity);
                books.settle();
            }
            return;
        }
        let (most, cash) = (contract.payable(), books.cash);
        let amount = match self.rng.below(8) {
            0 => most + 1,
            1 => cash.max(1) + 1,
            2 | 3 => most,
            4 => 1,
            _ => self.rng.wide(1, most.min(cash)),
        };
        let amount = amount.max(1);
        body.set("amount", money(amount));
        if self.send_object("repay", body).is_some() && amount <= most && amount <= cash {
            let books = &mut self.accounts[account];
            books.cash -= amount;
            books.contracts[place].apply(amount, true);
            books.settle();
        }
    }

    /// Interest settled, corrected or added as a penalty.
    pub fn interest(&mut self) {
        let Some((account, place)) = self.some_contract() else {
            return;
        };
        let owed = self.accounts[account].contracts[place].interest;
        let (kind, amount) = match self.rng.below(8) {
            0 => ("settled", owed + 1),
            1 | 2 => ("settled", owed.max(1)),
            3 => ("adjust", -owed - 1),
            4 => ("adjust", -owed),
            5 => ("adjust", self.rng.wide(0, 1_000_000)),
            _ => ("penalty", self.rng.wide(1, 50_000_000)),
        };
        let books = &self.accounts[account];
        let body = Object::from([
            ("account", text(books.code.clone())),
            ("contract", text(books.contracts[place].id.clone())),
            ("amount", money(amount)),
            ("kind", text(kind)),
        ]);
        if self.send_object("interest", body).is_none() {
            return;
        }
        let books = &mut self.accounts[account];
        match kind {
            "settled" if amount <= owed => {
                books.contracts[place].interest -= amount;
                books.cash -= amount;
            }
            "settled" => {}
            _ => books.contracts[place].interest = (owed + amount).max(0),
        }
        books.settle();
    }

    /// Another due date, rate or margin ratio.
    pub fn extend(&mut self) {
        let Some((account, place)) = self.some_contract() else {
            return;
        };
        let due = self.day + self.rng.range(-30, 400);
        let books = &self.accounts[account];
        let mut body = Object::from([
            ("account", text(books.code.clone())),
            ("contract", text(books.contracts[place].id.clone())),
            ("due", text(date_text(due))),
        ]);
        let annual = self.rng.chance(300).then(|| *self.rng.pick(&RATES));
        if let Some(annual) = annual {
            body.set("rate", rate(annual));
        }
        if self.rng.chance(300) {
            body.set("margin_ratio", Value::Dec(*self.rng.pick(&[5000, 10_000, 20_000]), 4));
        }
        if self.send_object("extend", body).is_some() {
            let contract = &mut self.accounts[account].contracts[place];
            contract.due = Some(due);
            contract.rate = annual.unwrap_or(contract.rate);
        }
    }

    /// The state of an order in flight.
    pub fn order(&mut self) {
        let (Some(account), Some(security)) = (self.some_account(), self.some_security()) else {
            return;
        };
        let known = self.accounts[account].orders.clone();
        let id = if !known.is_empty() && self.rng.chance(500) {
            self.rng.pick(&known).clone()
        } else {
            format!("o{}", self.rng.below(6))
        };
        let quantity = 100 * self.rng.range(1, 300);
        let remaining = *self.rng.pick(&[0, quantity, quantity, quantity / 2, quantity - 1]);
        let mark = self.securities[security].mark().unwrap_or(100_000).max(1);
        let status = *self.rng.pick(&["open", "open", "open", "filled", "cancelled"]);
        let side = *self.rng.pick(&SIDES);
        let sent = self.send(
            "order",
            [
                ("account", text(self.accounts[account].code.clone())),
                ("order", text(id.clone())),
                ("side", text(side)),
                ("security", text(self.securities[security].code.clone())),
                ("quantity", Value::Int(quantity.into())),
                ("price", money(mark)),
                ("status", text(status)),
                ("remaining", Value::Int(remaining.into())),
            ],
        );
        if sent.is_some() {
            self.accounts[account].orders.push(id);
        }
    }
}
