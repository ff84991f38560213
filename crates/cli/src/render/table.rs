//! Tables without frames, one line per row, so that other programs can process them too.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::render::escape::line;

/// A column's title and whether it is a number.
pub(crate) struct Column(pub(crate) &'static str, pub(crate) Align);

/// Which edge of the column its cells stand at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// The table's text; lines have no blanks at their ends and are never broken.
pub(crate) fn table(columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|column| column.0));
    for (index, Column(_, align)) in columns.iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, 2));
            if *align == Align::Right {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| line(cell)));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_at_their_text() {
        let text = table(
            &[Column("KEY", Align::Left), Column("SIZE", Align::Right), Column("STATE", Align::Left)],
            [vec!["a".into(), "12 B".into(), "good".into()], vec!["long key".into(), "1 B".into(), String::new()]],
        );
        assert_eq!(text, "KEY       SIZE  STATE\na         12 B  good\nlong key   1 B");
    }
}
