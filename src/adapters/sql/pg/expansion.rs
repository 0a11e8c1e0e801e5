//! How large a statement becomes when it is planned.
//!
//! Owns counting what planning multiplies: a common table expression is written out wherever it is
//! named, and a cube has a grouping for each choice of its columns. Leaves the length of the text
//! to `statement`.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, ObjectName, Query, Select, Statement, Visit, Visitor,
};

/// Most tables that a statement may read, each as often as it is written out.
const TABLES_MAX: u64 = 500;

/// Most groupings of a `GROUP BY`.
const GROUPINGS_MAX: u64 = 100;

/// What is too much in a statement, if anything.
pub(super) fn excess(statement: &Statement) -> Option<String> {
    let mut expansion = Expansion::default();
    if let ControlFlow::Break(groupings) = statement.visit(&mut expansion) {
        return Some(format!(
            "GROUP BY makes {groupings} groupings, more than {GROUPINGS_MAX}: name those that \
             are needed by GROUPING SETS"
        ));
    }
    (expansion.tables > TABLES_MAX).then(|| {
        format!(
            "the statement reads more than {TABLES_MAX} tables, each counted as often as the WITH \
             it stands in is named: name each of them less often"
        )
    })
}

/// Counts tables on the way through a statement.
#[derive(Default)]
struct Expansion {
    queries: Vec<Counted>,
    /// Of the queries that have ended and are no one's part.
    tables: u64,
}

/// A query that is being looked through.
#[derive(Default)]
struct Counted {
    /// The names of its `WITH`, the next one last.
    names: Vec<String>,
    /// Tables of those that were looked through.
    sizes: HashMap<String, u64>,
    tables: u64,
}

impl Visitor for Expansion {
    type Break = u64;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<u64> {
        let with = query.with.iter().flat_map(|with| with.cte_tables.iter());
        let names = with.rev().map(|table| folded(&table.alias.name.value));
        self.queries.push(Counted {
            names: names.collect(),
            ..Counted::default()
        });
        ControlFlow::Continue(())
    }

    /// What stands in a `WITH` ends before all else of the query around it.
    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<u64> {
        let ended = self.queries.pop().unwrap_or_default().tables;
        match self.queries.last_mut() {
            Some(around) => match around.names.pop() {
                Some(name) => _ = around.sizes.insert(name, ended),
                None => around.tables = around.tables.saturating_add(ended),
            },
            None => self.tables = self.tables.saturating_add(ended),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<u64> {
        let name = folded(&relation.to_string().replace('"', ""));
        let known = self.queries.iter().rev();
        let size = known.filter_map(|query| query.sizes.get(&name)).next();
        let size = size.copied().unwrap_or(1);
        if let Some(query) = self.queries.last_mut() {
            query.tables = query.tables.saturating_add(size);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<u64> {
        let groupings = match &select.group_by {
            GroupByExpr::Expressions(parts, _) => parts.iter().map(groupings),
            GroupByExpr::All(_) => return ControlFlow::Continue(()),
        };
        let groupings = groupings.fold(1, u64::saturating_mul);
        if groupings > GROUPINGS_MAX {
            ControlFlow::Break(groupings)
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// Groupings of one part of a `GROUP BY`.
fn groupings(part: &Expr) -> u64 {
    match part {
        Expr::Cube(sets) => 1_u64.checked_shl(sets.len() as u32).unwrap_or(u64::MAX),
        Expr::Rollup(sets) => sets.len() as u64 + 1,
        Expr::GroupingSets(sets) => sets.len() as u64,
        _ => 1,
    }
}

/// One name for all ways of writing it, also for names that only quotes tell apart: their sizes
/// are then the later one's, which is near enough for a limit.
fn folded(name: &str) -> String {
    name.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    /// A chain of `length` expressions, each of which reads the one before twice.
    fn doubled(length: usize) -> String {
        let mut sql = "WITH t0 AS (SELECT 1 AS a FROM ledger)".to_owned();
        for at in 1..=length {
            let before = at - 1;
            sql +=
                &format!(", T{at} AS (SELECT x.a FROM \"t{before}\" x JOIN t{before} y USING (a))");
        }
        sql + &format!(" SELECT * FROM t{length}")
    }

    #[test]
    fn what_planning_would_multiply_is_counted_beforehand() {
        let nested =
            "SELECT * FROM ledger WHERE customer IN (WITH a AS (SELECT customer FROM usage)
            SELECT customer FROM a WHERE customer IN (SELECT customer FROM a))";
        for (sql, tables) in [
            ("SELECT 1".to_owned(), 0),
            ("SELECT * FROM ledger a, wallets b".to_owned(), 2),
            ("WITH a AS (SELECT * FROM ledger) SELECT 1".to_owned(), 0),
            (
                "EXPLAIN SELECT * FROM ledger UNION SELECT * FROM usage".to_owned(),
                2,
            ),
            (nested.to_owned(), 3),
            (doubled(0), 1),
            (doubled(8), 256),
            (doubled(63), 1 << 63),
            (doubled(70), u64::MAX),
        ] {
            let statement = &Parser::parse_sql(&PostgreSqlDialect {}, &sql).unwrap()[0];
            let mut expansion = Expansion::default();
            assert!(statement.visit(&mut expansion).is_continue(), "{sql}");
            assert_eq!(expansion.tables, tables, "{sql}");
            assert_eq!(excess(statement).is_some(), tables > TABLES_MAX, "{sql}");
        }
    }

    #[test]
    fn a_cube_of_many_columns_is_refused() {
        for (group_by, passes) in [
            ("a, b, c", true),
            ("CUBE (a, b, c, d, e, f)", true),
            ("CUBE (a, b, c, d, e, f, g)", false),
            ("ROLLUP (a, b, c), CUBE (a, b, c, d, e)", false),
            ("GROUPING SETS ((a, b), (a), ())", true),
        ] {
            let sql = format!("SELECT 1 FROM (SELECT 1 FROM t GROUP BY {group_by}) AS x");
            let statement = &Parser::parse_sql(&PostgreSqlDialect {}, &sql).unwrap()[0];
            assert_eq!(excess(statement).is_none(), passes, "{sql}");
        }
    }
}
