//! The output of hooks: shown line by line, without secrets, and bounded.

use std::collections::VecDeque;

use backup_core::secret::Redactor;

/// Lines shown as they come. A migration prints some hundreds.
const HEAD_LINES_MAX: u64 = 1_000;

/// Bytes shown as they come.
const HEAD_BYTES_MAX: u64 = 256 * 1024;

/// Last lines, shown at the end when there were too many: that is where the error stands.
const TAIL_LINES_MAX: usize = 40;

/// Bytes of one line that are shown.
const LINE_BYTES_MAX: usize = 2 * 1024;

/// Longest secret looked for in a line that is cut, in bytes: AWS session tokens have some 2 KiB, percent-encoded more.
const SECRET_BYTES_MAX: usize = 8 * 1024;

/// What was printed, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// Lines in all.
    pub(super) lines: u64,
    /// Bytes in all.
    pub(super) bytes: u64,
    /// The last lines, without secrets.
    pub(super) last: Vec<String>,
}

/// Takes a hook's output in pieces of any size and shows lines of it. Holds some hundred kilobytes, whatever comes.
#[derive(Debug)]
pub(super) struct Output {
    redactor: Redactor,
    /// The line that has not ended yet, its beginning at least.
    line: Vec<u8>,
    /// Bytes of that line which were not kept.
    dropped: u64,
    /// The last lines as they came, and how many bytes of each were not kept.
    tail: VecDeque<(Vec<u8>, u64)>,
    lines: u64,
    bytes: u64,
    shown_lines: u64,
    shown_bytes: u64,
}

impl Output {
    pub(super) fn new(redactor: Redactor) -> Self {
        Self {
            redactor,
            line: Vec::new(),
            dropped: 0,
            tail: VecDeque::new(),
            lines: 0,
            bytes: 0,
            shown_lines: 0,
            shown_bytes: 0,
        }
    }

    /// Takes some output, and gives the lines that it ends to `show`.
    pub(super) fn take(&mut self, mut bytes: &[u8], show: &mut dyn FnMut(&str)) {
        self.bytes += bytes.len() as u64;
        while let Some(at) = memchr::memchr(b'\n', bytes) {
            self.extend(&bytes[..at]);
            self.end_line(show);
            bytes = &bytes[at + 1..];
        }
        self.extend(bytes);
    }

    /// Gives what was held back to `show`: an unfinished line, and the last ones of too many.
    pub(super) fn finish(mut self, show: &mut dyn FnMut(&str)) -> Summary {
        if !self.line.is_empty() || self.dropped > 0 {
            self.end_line(show);
        }
        let last: Vec<String> = self.tail.iter().map(|(line, dropped)| self.readable(line, *dropped)).collect();
        let unseen = usize::try_from(self.lines - self.shown_lines).unwrap_or(usize::MAX).min(last.len());
        let left_out = self.lines - self.shown_lines - unseen as u64;
        if left_out > 0 {
            show(&format!("… {left_out} lines are not shown"));
        }
        last[last.len() - unseen..].iter().for_each(|line| show(line));
        Summary { lines: self.lines, bytes: self.bytes, last }
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = (LINE_BYTES_MAX + SECRET_BYTES_MAX).saturating_sub(self.line.len()).min(bytes.len());
        self.line.extend_from_slice(&bytes[..room]);
        self.dropped += (bytes.len() - room) as u64;
    }

    fn end_line(&mut self, show: &mut dyn FnMut(&str)) {
        let (line, dropped) = (std::mem::take(&mut self.line), std::mem::take(&mut self.dropped));
        // Once a line was held back all that follow are: they come in order, or in the count.
        if self.shown_lines == self.lines && self.lines < HEAD_LINES_MAX && self.shown_bytes < HEAD_BYTES_MAX {
            let text = self.readable(&line, dropped);
            self.shown_lines += 1;
            self.shown_bytes += text.len() as u64;
            show(&text);
        }
        self.lines += 1;
        if self.tail.len() == TAIL_LINES_MAX {
            self.tail.pop_front();
        }
        self.tail.push_back((line, dropped));
    }

    /// A line without secrets and control characters, cut where it gets too long.
    fn readable(&self, line: &[u8], dropped: u64) -> String {
        let text = String::from_utf8_lossy(line);
        let mut text = self.redactor.redact(text.trim_end_matches('\r'));
        // Of what was not kept some may be the rest of a secret: its beginning, at the end here, goes too.
        let sure = if dropped > 0 { text.len().saturating_sub(SECRET_BYTES_MAX) } else { text.len() };
        let cut = text.floor_char_boundary(sure.min(LINE_BYTES_MAX));
        if cut < text.len() || dropped > 0 {
            let more = (text.len() - cut) as u64 + dropped;
            text.truncate(cut);
            text.push_str(&format!(" … {more} bytes more"));
        }
        // Colours and cursor movements are for terminals, and could make one show what was never printed.
        text.retain(|character| character == '\t' || !character.is_control());
        text
    }
}

#[cfg(test)]
mod tests {
    use backup_core::secret::Secret;
    use proptest::prelude::*;

    use super::*;

    fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, secret: &str) -> (Vec<String>, Summary) {
        let redactor = Redactor::new();
        redactor.register(&Secret::new(secret));
        let mut output = Output::new(redactor);
        let mut shown = Vec::new();
        for piece in pieces {
            output.take(piece, &mut |line| shown.push(line.to_owned()));
        }
        let summary = output.finish(&mut |line| shown.push(line.to_owned()));
        (shown, summary)
    }

    #[test]
    fn a_flood_is_counted_and_its_beginning_and_end_are_shown() {
        let text: String = (0..100_000).map(|number| format!("line {number}\n")).collect();
        let (shown, summary) = run(text.as_bytes().chunks(7), "x");
        assert_eq!(shown.len(), 1_000 + 1 + TAIL_LINES_MAX);
        assert_eq!((shown[999].as_str(), shown[1_000].as_str()), ("line 999", "… 98960 lines are not shown"));
        assert_eq!(shown[1_001], "line 99960");
        assert_eq!(summary.lines, 100_000);
        assert_eq!(summary.bytes, text.len() as u64);
        assert_eq!(summary.last.last().unwrap(), "line 99999");
    }

    #[test]
    fn a_line_without_end_is_cut_and_shows_no_piece_of_a_secret() {
        let secret = "s3cret-".repeat(30);
        // Masks make the line shorter, and so bring up what stood beyond the cut.
        for before in [0, 1_000, LINE_BYTES_MAX - 5, LINE_BYTES_MAX + SECRET_BYTES_MAX - 100] {
            let text = format!("{}{}", "a".repeat(before), secret.repeat(2_000));
            let (shown, summary) = run(text.as_bytes().chunks(4_096), &secret);
            assert!(shown.iter().all(|line| !line.contains("s3cret")), "{before}: {shown:?}");
            assert!(shown[0].ends_with("bytes more") && shown[0].len() < LINE_BYTES_MAX + 40);
            assert_eq!((shown.len(), summary.lines, summary.bytes), (1, 1, text.len() as u64));
        }
    }

    #[test]
    fn terminals_are_told_nothing() {
        let (shown, _) = run([&b"\x1b[2Ja\tb\r\n\x07caf\xc3\xa9 \xff"[..]], "x");
        assert_eq!(shown, ["[2Ja\tb", "café \u{fffd}"]);
    }

    proptest! {
        #[test]
        fn short_output_is_shown_whole_however_it_is_cut(
            lines in prop::collection::vec("[a-y é]{0,60}", 0..60), size in 1_usize..50,
        ) {
            let text = lines.join("\n");
            let (shown, summary) = run(text.as_bytes().chunks(size), "z");
            let expected: Vec<&str> = text.lines().collect();
            prop_assert_eq!(&shown, &expected);
            prop_assert_eq!(summary.lines, expected.len() as u64);
        }

        #[test]
        fn no_secret_is_shown_however_output_is_cut(
            before in "[a-m\n]{0,80}", after in "[a-m\n]{0,80}", size in 1_usize..50,
        ) {
            let text = format!("{before}n0p-qrstu{after}");
            let (shown, summary) = run(text.as_bytes().chunks(size), "n0p-qrstu");
            prop_assert!(!shown.join("\n").contains("n0p-qrstu") && !summary.last.join("\n").contains("n0p-qrstu"));
            prop_assert!(shown.join("\n").contains("****"));
        }
    }
}
