//! What stands before the parser of a connection.
//!
//! Owns refusing what is too large to be parsed and planned, keeping the types that a client gives
//! its parameters, and sending rows as they come. Leaves all else to the service.
//!
//! Invariant: no text reaches a parser, which works on the stack, before its size was looked at.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use datafusion_postgres::DfSessionService;
use datafusion_postgres::pgwire::api::portal::{Portal, PortalExecutionState};
use datafusion_postgres::pgwire::api::query::{
    ExtendedQueryHandler, SimpleQueryHandler, send_partial_query_response,
};
use datafusion_postgres::pgwire::api::results::{QueryResponse, Response};
use datafusion_postgres::pgwire::api::store::{Entry, PortalStore};
use datafusion_postgres::pgwire::api::{
    ClientInfo, ClientPortalStore, DEFAULT_NAME, PgWireConnectionState, Type,
};
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::extendedquery::{Execute, Parse};
use datafusion_postgres::pgwire::messages::simplequery::Query;
use futures::{Sink, StreamExt, stream};

use super::guard::{TOO_COMPLEX, error};
use super::stop::{by, cancel, deadline, rows_by};
use crate::adapters::sql::statement::check_size;
use crate::adapters::sql::typed::{Places, statements};

/// A service that is only given what it can hold.
pub(super) struct Bounded(pub(super) DfSessionService);

fn checked(sql: &str) -> PgWireResult<()> {
    let checked = check_size(sql, &PostgreSqlDialect {});
    checked.map_err(|fault| error(TOO_COMPLEX, fault.to_string()))
}

/// The statement with a cast around each parameter that the client declares to be a number: the
/// planner would take the type of the column beside it, and then refuse the client's.
fn typed(sql: &str, types: &[u32]) -> String {
    let declared = |name: &str| {
        let number: usize = name.strip_prefix('$')?.parse().ok()?;
        let oid = *types.get(number.checked_sub(1)?)?;
        match Type::from_oid(oid)? {
            Type::INT2 | Type::INT4 | Type::INT8 => Some("BIGINT"),
            Type::FLOAT4 | Type::FLOAT8 => Some("DOUBLE"),
            _ => None,
        }
    };
    // What is no token is left to the parser, which says so better.
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location();
    let (mut text, mut copied) = (String::with_capacity(sql.len()), 0);
    let mut places = Places::new(sql);
    let mut before = None;
    for token in tokens.unwrap_or_default() {
        let kind = match &token.token {
            // Where only a plain number may stand, its type is known.
            Token::Placeholder(name) if !is_count(before.as_ref()) => {
                declared(name).zip(Some(name))
            }
            Token::Whitespace(_) => continue,
            _ => None,
        };
        if let Some((kind, name)) = kind {
            let at = places.of(token.span.start);
            text += &sql[copied..at];
            text += &format!("CAST({name} AS {kind})");
            copied = at + name.len();
        }
        before = Some(token.token);
    }
    text + &sql[copied..]
}

fn is_count(before: Option<&Token>) -> bool {
    let word = before.and_then(|token| match token {
        Token::Word(word) => Some(word.keyword),
        _ => None,
    });
    matches!(word, Some(Keyword::LIMIT | Keyword::OFFSET))
}

type Asked = Portal<<DfSessionService as ExtendedQueryHandler>::Statement>;

fn is_query(portal: &Asked) -> bool {
    matches!(
        &portal.statement.statement.1,
        Some((Statement::Query(_), _))
    )
}

impl Bounded {
    /// Sends the next rows of a query, at most `rows_max` unless that is zero.
    async fn send<C>(&self, client: &mut C, portal: &Asked, rows_max: usize) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = <Self as ExtendedQueryHandler>::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        client.set_state(PgWireConnectionState::QueryInProgress);
        let state = portal.state();
        let mut state = state.lock().await;
        if matches!(*state, PortalExecutionState::Initial)
            && let Response::Query(rows) =
                ExtendedQueryHandler::do_query(&self.0, client, portal, rows_max).await?
        {
            *state = PortalExecutionState::Suspended(rows);
        }
        let mut nothing = QueryResponse::new(Arc::default(), stream::empty());
        let rows = match &mut *state {
            PortalExecutionState::Suspended(rows) => rows,
            PortalExecutionState::Initial | PortalExecutionState::Finished => &mut nothing,
        };
        if !send_partial_query_response(client, rows, rows_max).await? {
            *state = PortalExecutionState::Finished;
        }
        client.set_state(PgWireConnectionState::ReadyForQuery);
        Ok(())
    }
}

#[async_trait]
impl SimpleQueryHandler for Bounded {
    /// As it is by default, but for a cancel at any time.
    async fn on_query<C>(&self, client: &mut C, query: Query) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let cancelled = cancel(client).await;
        tokio::select! {
            biased;
            fault = cancelled => Err(fault),
            done = self._on_query(client, query) => done,
        }
    }

    async fn do_query<C>(&self, client: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        checked(query)?;
        let mut answers = Vec::new();
        // One by one, since each may set the time that the next one has.
        for typed in statements(query, &PostgreSqlDialect {}) {
            let end = deadline(client);
            let answered = SimpleQueryHandler::do_query(&self.0, client, typed.sql);
            for mut answer in by(end, answered).await? {
                if let Response::Query(answer) = &mut answer {
                    let rows = std::mem::replace(&mut answer.data_rows, stream::empty().boxed());
                    answer.data_rows = rows_by(end, rows);
                }
                answers.push(answer);
            }
        }
        if answers.is_empty() {
            answers.push(Response::EmptyQuery);
        }
        Ok(answers)
    }
}

#[async_trait]
impl ExtendedQueryHandler for Bounded {
    type Statement = <DfSessionService as ExtendedQueryHandler>::Statement;
    type QueryParser = <DfSessionService as ExtendedQueryHandler>::QueryParser;

    fn query_parser(&self) -> Arc<Self::QueryParser> {
        self.0.query_parser()
    }

    async fn on_parse<C>(&self, client: &mut C, mut message: Parse) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Self::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        checked(&message.query)?;
        message.query = typed(&message.query, &message.type_oids);
        self.0.on_parse(client, message).await
    }

    /// As it is by default, but rows are sent as they come, however many are wanted, and each
    /// Execute can be cancelled and has the time that a statement has.
    async fn on_execute<C>(&self, client: &mut C, mut message: Execute) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Self::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        let ready = matches!(client.state(), PgWireConnectionState::ReadyForQuery);
        let portal = match client.portal_store().get_portal(name) {
            Some(Entry::Value(portal)) if ready && is_query(&portal) => Some(portal),
            _ => None,
        };
        let rows_max = usize::try_from(message.max_rows).unwrap_or(0);
        // All of the few rows of what is no query, since room would be made for as many as are
        // named.
        message.max_rows = 0;
        let cancelled = cancel(client).await;
        let end = deadline(client);
        let work = async {
            match &portal {
                Some(portal) => self.send(client, portal, rows_max).await,
                None => self._on_execute(client, message).await,
            }
        };
        let done = tokio::select! {
            biased;
            fault = cancelled => Err(fault),
            done = by(end, work) => done,
        };
        if let (Err(_), Some(portal)) = (&done, &portal) {
            // Some rows may be lost, so that there is nothing to go on with.
            *portal.state().lock().await = PortalExecutionState::Finished;
        }
        done
    }

    async fn do_query<C>(
        &self,
        client: &mut C,
        portal: &Portal<Self::Statement>,
        rows_max: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Self::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        ExtendedQueryHandler::do_query(&self.0, client, portal, rows_max).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_the_type_that_their_client_gave_them() {
        let types = [Type::INT2, Type::TEXT, Type::FLOAT8, Type::INT8].map(|kind| kind.oid());
        for (sql, expected) in [
            (
                "SELECT 'it''s $1', \"$1\" FROM t WHERE a > $1 AND b = $2 -- $1",
                "SELECT 'it''s $1', \"$1\" FROM t WHERE a > CAST($1 AS BIGINT) AND b = $2 -- $1",
            ),
            (
                "SELECT E'ä\\'\n'\n, 'ö' WHERE a<$3::numeric LIMIT $4 OFFSET  $1",
                "SELECT E'ä\\'\n'\n, 'ö' WHERE a<CAST($3 AS DOUBLE)::numeric LIMIT $4 OFFSET  $1",
            ),
            ("SELECT $9, $0, $x", "SELECT $9, $0, $x"),
            ("SELECT 'open", "SELECT 'open"),
        ] {
            assert_eq!(typed(sql, &types), expected);
        }
    }
}
