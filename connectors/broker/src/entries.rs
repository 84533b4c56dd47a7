//! Accounts and facts as rows of event files, with the names that ordinals stand for.

use crate::agreement;
use crate::book::{Account, Holding};
use crate::counter::{ContractName, Fact, FactEvent};
use crate::universe::Universe;
use plimsoll_engine::num::{Date, YUAN};
use plimsoll_files::rows as row;
use plimsoll_files::rows::Event;

/// The name of an account.
#[must_use]
pub fn account_name(number: u64) -> String {
    format!("A{:08}", number + 1)
}

/// The name of a contract: `20260119-1`.
#[must_use]
pub fn contract_name(name: ContractName) -> String {
    let (year, month, day) = name.0.ymd();
    format!("{year:04}{month:02}{day:02}-{}", name.1)
}

/// Hands the `account` event of an account to `write`.
pub fn account_entry<R>(
    account: &Account,
    universe: &Universe,
    first_day: Date,
    write: impl FnOnce(&dyn Event) -> R,
) -> R {
    let (_, debts) = account.balance(universe);
    // A line with room for as much again, in steps of 100 000 yuan.
    let step = 100_000 * YUAN;
    let credit_line = ((2 * debts) as i64 / step + 1) * step;
    write(&row::Account {
        account: &account_name(account.number),
        customer: &format!("C{:08}", account.customer + 1),
        name: None,
        client_class: account.client_class(),
        branch: Some(&format!("B{:03}", account.branch + 1)),
        manager: None,
        rating: None,
        credit_line: Some(credit_line),
        opened: Some(Date(first_day.0 - 30 - 365 * account.age)),
    })
}

/// Hands the `lines` event of an account to `write`, if it has lines of its own.
pub fn lines_entry<R>(account: &Account, write: impl FnOnce(&dyn Event) -> R) -> Option<R> {
    let name = account_name(account.number);
    account.agreement.map(|place| write(&agreement::lines(place, &name)))
}

/// Hands the `opening` event of an account to `write`.
pub fn opening_entry<R>(
    account: &Account,
    universe: &Universe,
    first_day: Date,
    write: impl FnOnce(&dyn Event) -> R,
) -> R {
    let code = |security: u32| universe.securities[security as usize].code.as_str();
    let position = |holding: &Holding| row::Position {
        security: code(holding.security),
        quantity: holding.quantity,
        sellable: None,
        frozen: None,
    };
    let names: Vec<String> =
        account.debts.iter().map(|debt| contract_name(ContractName(debt.opened, debt.number))).collect();
    let contracts = account.debts.iter().zip(&names).map(|(debt, name)| row::Contract {
        contract: name,
        side: debt.side,
        security: code(debt.security),
        quantity: debt.quantity,
        amount: debt.amount,
        interest: Some(debt.interest),
        rate: Some(debt.rate),
        opened: debt.opened,
        due: Some(debt.due),
        margin_ratio: debt.margin_ratio,
    });
    let pay_date = Some(Date(first_day.0 + 2));
    write(&row::Opening {
        account: &account_name(account.number),
        cash: account.cash,
        positions: account.holdings.iter().map(position).collect(),
        contracts: contracts.collect(),
        other_collateral: (account.other_collateral > 0).then_some(account.other_collateral),
        receivables: (account.receivable > 0)
            .then(|| vec![row::Receivable { amount: account.receivable, pay_date }]),
    })
}

/// Hands the event of a fact to `write`.
pub fn fact_entry<R>(fact: &Fact, universe: &Universe, write: impl FnOnce(&dyn Event) -> R) -> R {
    let account = account_name(fact.account);
    let account = account.as_str();
    let code = |security: u32| universe.securities[security as usize].code.as_str();
    match fact.event {
        FactEvent::Cash { amount, reason } => write(&row::Cash { account, amount, reason }),
        FactEvent::Transfer { security, quantity } => {
            write(&row::Transfer { account, security: code(security), quantity })
        }
        FactEvent::Repay { contract, amount } => {
            let contract = contract_name(contract);
            let (amount, quantity) = (Some(amount), None);
            write(&row::Repay { account, contract: &contract, amount, quantity })
        }
        FactEvent::Fill { side, security, quantity, price, fee, contract, rate } => {
            let contract = contract.map(contract_name);
            write(&row::Fill {
                account,
                side,
                security: code(security),
                quantity,
                price,
                fee: Some(fee),
                contract: contract.as_deref(),
                order: None,
                rate,
                due: None,
                margin_ratio: None,
            })
        }
    }
}
