//! The date format of `Expires`.
//!
//! Source: `ngx_http_cookie_time`, `ngx_gmtime` (`src/core/ngx_times.c`, nginx 1.27.1).

const WEEK: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `Sat, 23-Nov-24 07:07:58 GMT`; four digits of the year after 2037. `time`: seconds since
/// 1970; times before are shown as 1970.
#[must_use]
pub fn cookie_time(time: i64) -> String {
    let time = u64::try_from(time).unwrap_or(0);
    let (days, second) = (time / 86_400, time % 86_400);
    let (year, month, day) = civil(days);
    let name = |names: &[&'static str], at: u64| {
        usize::try_from(at)
            .ok()
            .and_then(|at| names.get(at).copied())
            .unwrap_or_default()
    };
    let weekday = name(&WEEK, days % 7);
    let month = name(&MONTHS, month);
    let clock = format!(
        "{:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    );
    // nginx keeps the year in an `int`.
    let year = year as i32;
    if year > 2037 {
        format!("{weekday}, {day:02}-{month}-{year} {clock} GMT")
    } else {
        format!("{weekday}, {day:02}-{month}-{:02} {clock} GMT", year % 100)
    }
}

/// Year, month (from 0) and day (from 1) of a day since 1970, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // From 1 March of the year 0, so that the leap day ends a year.
    let days = days.saturating_add(719_468);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let in_month = day - (153 * month + 2) / 5 + 1;
    let january = u64::from(month >= 10);
    (era * 400 + year + january, (month + 2) % 12, in_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_nginx() {
        for (time, text) in [
            (0, "Thu, 01-Jan-70 00:00:00 GMT"),
            (-1, "Thu, 01-Jan-70 00:00:00 GMT"),
            (i64::MIN, "Thu, 01-Jan-70 00:00:00 GMT"),
            (1_732_345_678, "Sat, 23-Nov-24 07:07:58 GMT"),
            (951_782_400, "Tue, 29-Feb-00 00:00:00 GMT"),
            (951_868_800, "Wed, 01-Mar-00 00:00:00 GMT"),
            (1_709_164_800, "Thu, 29-Feb-24 00:00:00 GMT"),
            (1_735_689_599, "Tue, 31-Dec-24 23:59:59 GMT"),
            (2_145_916_799, "Thu, 31-Dec-37 23:59:59 GMT"),
            (2_145_916_800, "Fri, 01-Jan-2038 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01-Mar-2100 00:00:00 GMT"),
            (253_402_300_800, "Sat, 01-Jan-10000 00:00:00 GMT"),
        ] {
            assert_eq!(cookie_time(time), text, "{time}");
        }
        assert!(cookie_time(i64::MAX).ends_with("15:30:07 GMT"));
    }
}
