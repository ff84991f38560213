//! Compares the rows of the tables with the dump before the commit.

use std::collections::BTreeMap;

use crate::adapters::connection::Session;
use crate::adapters::sql::copy_out::CopyOut;
use crate::adapters::sql::printed;
use crate::adapters::sql::target::Target;
use crate::error::PgResult;
use crate::ident::QualifiedName;
use crate::restore::differences::refuse_differences;
use crate::restore::load_unit::copy_in;
use crate::restore::loading::Load;
use crate::restore::read_back::{Tally, read_back};
use crate::restore::search_path::SearchPath;
use crate::restore::units::load_units;
use crate::stored::detail::TableDump;

/// Tables that hold rows of each other's, or one alone.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    /// The table they belong to, or that one alone.
    table: QualifiedName,
    /// Which of its rows belong to a dump.
    condition: String,
    /// Columns that every member's rows have.
    columns: Vec<String>,
    /// Positions of the members among the dump's tables.
    members: Vec<usize>,
}

impl Group {
    /// What reads its rows: table by table, since the server plans nothing of the user's for one table alone.
    fn copies(&self, tables: &[TableDump]) -> Vec<CopyOut> {
        let members = self.members.iter().map(|at| tables[*at].qualified_name());
        members.map(|member| CopyOut::of_table(&member, &self.columns, &self.condition)).collect()
    }

    /// What the manifest says of the rows; nothing where the members' rows have their columns in different orders.
    fn dumped(&self, tables: &[TableDump]) -> Option<Tally> {
        let members = || self.members.iter().map(|at| &tables[*at]);
        members().all(|member| member.columns == self.columns).then(|| Tally::of(members().map(|member| &member.data)))
    }
}

fn groups(tables: &[TableDump], target: &Target) -> Vec<Group> {
    let through = target.through();
    let mut families: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut groups = Vec::new();
    for (at, table) in tables.iter().enumerate() {
        if let Some(root) = through.get(&at) {
            families.entry(*root).or_default().push(at);
            continue;
        }
        let there = target.tables.get(at).and_then(Option::as_ref);
        groups.push(Group {
            table: table.qualified_name(),
            condition: there.map(|there| there.condition.clone()).unwrap_or_default(),
            columns: table.columns.clone(),
            members: vec![at],
        });
    }
    groups.extend(families.into_iter().map(|(root, members)| {
        let root = &target.partitioned[root];
        let mut columns = tables[members[0]].columns.clone();
        columns.retain(|column| members.iter().all(|at| tables[*at].columns.contains(column)));
        Group { table: root.qualified_name(), condition: String::new(), columns, members }
    }));
    groups
}

/// Compares all tables; every difference is an error. Returns those whose rows are the dump's and yet another text.
pub(super) async fn compare(
    session: &Session,
    load: &Load,
    target: &Target,
    path: SearchPath,
) -> PgResult<Vec<String>> {
    let (mut differences, mut reworded) = (Vec::new(), Vec::new());
    printed::print_as_dumped(session, "preparing to read rows back").await?;
    for group in groups(&load.tables, target) {
        let label = group.table.label();
        let doing = format!("reading the rows of `{label}` back");
        let mut there = Tally::default();
        for copy in group.copies(&load.tables) {
            there.add(read_back(session, &copy, &doing).await?);
        }
        if group.dumped(&load.tables) == Some(there) {
            continue;
        }
        // Columns of another type, another currency, or a dump that was taken in another time zone: what counts is how the
        // dump's rows read here.
        let printed = print(session, load, &group, path).await?;
        if printed == there {
            reworded.extend(group.dumped(&load.tables).map(|_| label));
            continue;
        }
        differences.push(match printed.rows == there.rows {
            true => format!("the {} rows of `{label}` differ", there.rows),
            false => format!("`{label}` holds {} rows, not {}", there.rows, printed.rows),
        });
    }
    refuse_differences(differences)?;
    Ok(reworded)
}

/// The dump's rows as this database prints them: loaded into a table of the same columns on which nothing else stands.
async fn print(session: &Session, load: &Load, group: &Group, path: SearchPath) -> PgResult<Tally> {
    let doing = format!("comparing the rows of `{}`", group.table.label());
    // All columns that any member has: its rows have values for them.
    let mut columns: Vec<String> = Vec::new();
    for at in &group.members {
        let more = load.tables[*at].columns.iter().filter(|column| !columns.contains(column));
        let more: Vec<String> = more.cloned().collect();
        columns.extend(more);
    }
    printed::make(session, &group.table, &columns, &doing).await?;
    // Domains check what they are given.
    path.enter(session).await?;
    for at in &group.members {
        let table = &load.tables[*at];
        for unit in load_units(*at, &table.data) {
            copy_in(load, session, &printed::taking(&table.columns), &unit.frames, &doing).await?;
        }
    }
    path.leave(session).await?;
    printed::print_as_dumped(session, &doing).await?;
    let tally = read_back(session, &printed::giving(&group.columns), &doing).await?;
    printed::drop(session, &doing).await?;
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::sql::target::{Partitioned, TargetTable};
    use crate::restore::data_only::decide::tests::{detail, there};

    fn partitioned(leaves: &[u32]) -> Target {
        let root = Partitioned {
            schema: "public".to_owned(),
            name: "root".to_owned(),
            leaves: leaves.to_vec(),
            hash_differs: true,
            ..Partitioned::default()
        };
        let tables = vec![Some(there(1)), Some(there(2)), Some(there(3))];
        Target { tables, partitioned: vec![root], ..Target::default() }
    }

    fn texts(group: &Group, tables: &[TableDump]) -> Vec<String> {
        group.copies(tables).iter().map(|copy| copy.text().to_owned()).collect()
    }

    #[test]
    fn partitions_that_exchange_rows_are_compared_as_one() {
        let tables = detail(&["p1", "alone", "p2"]).tables;
        let groups = groups(&tables, &partitioned(&[1, 3]));
        assert_eq!(texts(&groups[0], &tables), [r#"COPY "public"."alone" ("a") TO STDOUT"#]);
        assert_eq!(groups[0].dumped(&tables), Some(Tally::of([&tables[1].data])));
        let both = [r#"COPY "public"."p1" ("a") TO STDOUT"#, r#"COPY "public"."p2" ("a") TO STDOUT"#];
        assert_eq!(texts(&groups[1], &tables), both);
        assert_eq!(groups[1].members, [0, 2]);
        assert_eq!(groups[1].dumped(&tables), Some(Tally::of([&tables[0].data, &tables[2].data])));
        assert_eq!(groups.len(), 2);
    }

    #[test]
    fn columns_of_another_order_are_compared_as_they_are_printed_here() {
        let mut tables = detail(&["p1", "p2"]).tables;
        let columns = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        (tables[0].columns, tables[1].columns) = (columns("a b more"), columns("b a"));
        let groups = groups(&tables, &partitioned(&[1, 2]));
        assert_eq!(texts(&groups[0], &tables)[1], r#"COPY "public"."p2" ("a", "b") TO STDOUT"#);
        assert_eq!(groups[0].dumped(&tables), None);
    }

    #[test]
    fn of_an_extensions_table_only_a_dumps_rows_are_read() {
        let tables = detail(&["config"]).tables;
        let there = TargetTable { condition: "WHERE NOT standard".to_owned(), ..there(1) };
        let target = Target { tables: vec![Some(there)], ..Target::default() };
        let expected = r#"COPY (SELECT "a" FROM ONLY "public"."config" WHERE NOT standard) TO STDOUT"#;
        assert_eq!(texts(&groups(&tables, &target)[0], &tables), [expected]);
    }
}
