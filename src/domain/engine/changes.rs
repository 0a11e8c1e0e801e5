//! Commands that change or end a wallet or a grant.
//!
//! Owns changes of plan, voiding and closing. Leaves reading a command to `command`.
//!
//! Invariant: every check comes before the first row, so that a refused command changes nothing.

use std::sync::Arc;

use super::rows::Origin;
use super::{Admitted, Engine};
use crate::domain::alert::About;
use crate::domain::command::{BadCommand, ChangeAt, PlanChanged, Voided};
use crate::domain::entry::{AlertKind, GrantId, Kind, Payload, Reason, Sink, Status};
use crate::domain::units::{Credits, Money};
use crate::domain::wallet::Terms;
use crate::domain::wallet::watch::Crossed;

impl Engine {
    /// Changes the plan: now, keeping the period and what it was given, or from the next one on.
    pub(super) fn command_plan_changed(
        &mut self,
        admitted: &Admitted<'_>,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Reason> {
        let (event, now) = (admitted.event, admitted.now);
        let change = PlanChanged::read(&event.members);
        let change = change.and_then(|change| self.known_plan(change.plan, now).map(|()| change));
        let change = change.map_err(|fault| self.refuse(origin, fault))?;
        let place = self.open_wallet(admitted.customer)?;
        let wallet = self.wallets.at(place);
        let start = wallet.current.start;
        let before = Arc::clone(&wallet.current.terms);
        let terms = match change.at {
            ChangeAt::NextPeriod => Arc::clone(&before),
            ChangeAt::Now => self.current_terms(place, change.plan)?,
        };
        if terms.plan.currency != before.plan.currency {
            let (plan, currency) = (terms.plan.id.clone(), terms.plan.currency.clone());
            return Err(self.refuse(origin, BadCommand::OtherCurrency { plan, currency }));
        }
        // Past this line nothing can fail.
        let row = (Kind::Wallet, &event.members);
        let mut crossed = self
            .posting()
            .apply_and_append(place, origin, row, sink, |row| {
                row.period = Some(start);
                row.plan = Some(&terms.plan.id);
                row.price_version = Some(&terms.version);
                row.data = Some(Payload::Data(event.data));
            });
        if change.at == ChangeAt::Now {
            let current = &self.wallets.at(place).current;
            let credits = terms.plan.pool.get() - current.pool.get();
            let fee = terms.plan.fee.get() - current.fee.get();
            let more = (Credits::new(credits.max(0)), Money::new(fee.max(0)));
            if more != (Credits::ZERO, Money::ZERO) {
                let pool = (start, change.plan, &*terms.version, Some(more));
                let by_pool = self.give_pool(place, pool, origin, sink);
                Crossed::add(&mut crossed, by_pool);
            }
        }
        self.alert(place, crossed, origin, sink);
        Ok(())
    }

    /// The terms that a plan has in the current period.
    fn current_terms(&mut self, place: u32, plan: &str) -> Result<Arc<Terms>, Reason> {
        let start = self.wallets.at(place).current.start;
        let version = self.terms_version(start.start(), plan);
        let terms = self.wallets.terms.get(&self.book, &version, plan);
        terms.map_err(|_| Reason::BadCommand)
    }

    /// Takes what remains of a grant.
    pub(super) fn command_voided(
        &mut self,
        admitted: &Admitted<'_>,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Reason> {
        let (event, now) = (admitted.event, admitted.now);
        let voided = Voided::read(&event.members);
        let voided = voided.map_err(|fault| self.refuse(origin, fault))?;
        let place = self.open_wallet(admitted.customer)?;
        let grant = GrantId::parse(voided.grant);
        let remaining = self.wallets.at(place).held(grant, now).unwrap_or_default();
        if remaining == Credits::ZERO {
            return Err(Reason::NothingRemaining);
        }
        let cause = (origin, Some(event.data));
        self.end_grant(place, Kind::Void, (&grant, remaining), cause, sink);
        Ok(())
    }

    /// Closes the wallet: it takes no more work, but for usage from before within the grace.
    pub(super) fn command_closed(
        &mut self,
        admitted: &Admitted<'_>,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Reason> {
        let event = admitted.event;
        let place = self.open_wallet(admitted.customer)?;
        let period = self.wallets.at(place).current.start;
        let terms = Arc::clone(&self.wallets.at(place).current.terms);
        let row = (Kind::Wallet, &event.members);
        self.posting()
            .apply_and_append(place, origin, row, sink, |row| {
                row.period = Some(period);
                row.plan = Some(&terms.plan.id);
                row.price_version = Some(&terms.version);
                row.data = Some(Payload::Data(event.data));
            });
        let about = About {
            kind: AlertKind::Status(Status::Closed),
            period,
            grant: None,
        };
        self.tell(place, about, origin, sink);
        Ok(())
    }
}
