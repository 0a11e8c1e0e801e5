//! Wallet commands.
//!
//! Owns what opens a wallet and what gives it credits. Leaves what changes or ends it to `changes`,
//! taking a charge back to `reversals`, and reading a command to `command`.

use std::sync::Arc;

use super::rows::Origin;
use super::{Admitted, Engine};
use crate::domain::alert::About;
use crate::domain::command::{
    BadCommand, CLOSED, GRANTED, Granted, OPENED, Opened, PLAN_CHANGED, VOIDED,
};
use crate::domain::entry::{
    AlertKind, Entry, GrantId, Kind, POOL_PREFIX, Payload, ROLLOVER_PREFIX, Reason, Sink, Status,
};
use crate::domain::event::Members;
use crate::domain::units::{Credits, Day, Money, Timestamp};
use crate::domain::wallet::GRANTED_MAX;
use crate::domain::wallet::watch::Crossed;

impl Engine {
    /// Does what a command says, or tells why not.
    pub(super) fn command(
        &mut self,
        admitted: &Admitted<'_>,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Reason> {
        match admitted.event.event_type {
            OPENED => self.command_opened(admitted, origin, sink),
            PLAN_CHANGED => self.command_plan_changed(admitted, origin, sink),
            GRANTED => self.command_granted(admitted, origin, sink),
            VOIDED => self.command_voided(admitted, origin, sink),
            CLOSED => self.command_closed(admitted, origin, sink),
            _ => Err(Reason::UnknownCommand),
        }
    }

    /// The wallet that a command is about, which must be open.
    pub(super) fn open_wallet(&self, customer: &str) -> Result<u32, Reason> {
        let place = self.wallets.place(customer);
        let place = place.filter(|place| self.wallets.at(*place).closing().is_none());
        place.ok_or(Reason::UnknownWallet)
    }

    fn command_opened(
        &mut self,
        admitted: &Admitted<'_>,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Reason> {
        let Admitted {
            event,
            customer,
            now,
            ..
        } = *admitted;
        let opened = Opened::read(&event.members);
        let opened = opened.and_then(|opened| self.known_plan(opened.plan, now).map(|()| opened));
        let opened = opened.map_err(|fault| self.refuse(origin, fault))?;
        // Until the grace after its closing is over, a wallet is not done with.
        let is_open = |place| {
            let closing = self.wallets.at(place).closing();
            closing.is_none_or(|closing| now < closing.voids_at)
        };
        if self.wallets.place(customer).is_some_and(is_open) {
            return Err(Reason::AlreadyOpen);
        }
        let is_anew = self.wallets.place(customer).is_some();
        let version = self.terms_version(now.day().start(), opened.plan);
        let data = (&event.members, Some(event.data));
        let place = self.open((opened.plan, &version), data, origin, sink);
        if is_anew {
            let about = About {
                kind: AlertKind::Status(Status::Ok),
                period: now.day(),
                grant: None,
            };
            self.tell(place, about, origin, sink);
        }
        Ok(())
    }

    fn command_granted(
        &mut self,
        admitted: &Admitted<'_>,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Reason> {
        let Admitted {
            event,
            customer,
            now,
            ..
        } = *admitted;
        let granted = Granted::read(&event.members, now);
        let granted = granted.map_err(|fault| self.refuse(origin, fault))?;
        let id = format!("{}/{}", event.source, event.id);
        let is_reserved = id.starts_with(POOL_PREFIX) || id.starts_with(ROLLOVER_PREFIX);
        let known = self.wallets.place(customer);
        let has = |place| {
            self.wallets
                .at(place)
                .grants
                .iter()
                .any(|grant| *grant.id == *id)
        };
        if is_reserved || known.is_some_and(has) {
            return Err(self.refuse(origin, BadCommand::GrantIdTaken(id)));
        }
        let place = self.open_wallet(customer)?;
        let held = self.wallets.at(place).granted_remaining();
        if held
            .checked_add(granted.credits)
            .is_none_or(|held| held > GRANTED_MAX)
        {
            return Err(Reason::Overflow);
        }
        // Past this line nothing can fail.
        let period = self.wallets.at(place).current.start;
        let terms = Arc::clone(&self.wallets.at(place).current.terms);
        let row = (Kind::Grant, &event.members);
        let crossed = self
            .posting()
            .apply_and_append(place, origin, row, sink, |row| {
                row.period = Some(period);
                row.grant_id = Some(GrantId::Named(&id));
                row.delta = Some(granted.credits);
                row.amount = granted.price.map(|(price, _)| price);
                row.currency = granted.price.map(|(_, currency)| currency);
                row.plan = Some(&terms.plan.id);
                row.data = Some(Payload::Data(event.data));
            });
        self.alert(place, crossed, origin, sink);
        Ok(())
    }

    /// Opens a wallet today and gives it its first pool; gives its place. `data` is what the
    /// command said, if one opened it.
    pub(super) fn open(
        &mut self,
        (plan, version): (&str, &str),
        (members, data): (&Members<'_>, Option<&str>),
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) -> u32 {
        let start = self.now.unwrap_or(Timestamp::EPOCH).day();
        let row = origin.row(self.last.entry + 1, Kind::Wallet);
        let row = Entry {
            period: Some(start),
            balance: Some(Credits::ZERO),
            plan: Some(plan),
            price_version: Some(version),
            data: data.map(Payload::Data),
            ..row
        };
        let around = (&*self.book, &mut self.timers);
        let opened = self.wallets.apply_opening(&row, members, around);
        let place = opened.expect("the plan and the anchor day were checked before");
        self.posting().put(&row, sink);
        self.give_pool(place, (start, plan, version, None), origin, sink);
        place
    }

    /// Gives the pool of the period that starts on `start`, which ends the one before, or `more`:
    /// what a larger plan adds to it, and the fee; gives what this brought about.
    pub(super) fn give_pool(
        &mut self,
        place: u32,
        (start, plan, version, more): (Day, &str, &str, Option<(Credits, Money)>),
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) -> Option<Crossed> {
        let terms = self.wallets.terms.get(&self.book, version, plan);
        let terms = terms.expect("a plan was looked up before its pool is given");
        let (credits, fee) = more.unwrap_or((terms.plan.pool, terms.plan.fee));
        self.posting()
            .apply_and_append(place, origin, (Kind::Grant, &Members::NONE), sink, |row| {
                row.period = Some(start);
                row.grant_id = Some(GrantId::Pool(start));
                row.delta = Some(credits);
                row.amount = Some(fee);
                row.currency = Some(&terms.plan.currency);
                row.plan = Some(plan);
                row.price_version = Some(version);
            })
    }

    /// The version that gives a period from `start` its plan terms.
    pub(super) fn terms_version(&self, start: Timestamp, plan: &str) -> String {
        self.book.terms_table(start, plan).version.clone()
    }

    /// The plan is one of the table in force at `now`.
    pub(super) fn known_plan(&self, plan: &str, now: Timestamp) -> Result<(), BadCommand> {
        let table = &self.book.tables()[self.book.in_force_or_first(now)];
        let known = table.plan(plan).map(|_| ());
        known.ok_or_else(|| BadCommand::UnknownPlan(plan.to_owned()))
    }

    pub(super) fn refuse(&mut self, origin: &Origin<'_>, fault: BadCommand) -> Reason {
        let refused = origin.refused(fault);
        self.bad_commands.push(refused);
        Reason::BadCommand
    }
}
