//! Verdicts as JUnit XML, which GitLab and most CI servers show: a suite a fault plan, a case an
//! expectation.

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::check::CheckedPlan;
use super::verdict::Check;

/// The XML. No times are in it: virtual ones would mislead, and the same run gives the same bytes.
pub fn junit(checked: &[CheckedPlan]) -> String {
    let mut report = Report::new("kofn check");
    report.add_test_suites(checked.iter().map(suite));
    report.to_string().expect("quick-junit writes to memory")
}

fn suite(checked: &CheckedPlan) -> TestSuite {
    let mut suite = TestSuite::new(checked.plan.as_str());
    suite.add_property(Property::new("seed", checked.report.seed.to_string()));
    suite.add_property(Property::new("runs", checked.runs.to_string()));
    suite.add_property(Property::new("again", checked.again.as_str()));
    let mut cases: Vec<TestCase> =
        checked.verdict().checks.iter().map(|check| case(checked, check)).collect();
    cases.extend(checked.never_struck().map(|never| {
        let again = format!("to see this again: {}", checked.again);
        failed("every fault strikes", NonSuccessKind::Error, never, again)
    }));
    for case in &mut cases {
        case.set_classname(checked.plan.as_str());
    }
    suite.add_test_cases(cases);
    suite
}

fn case(checked: &CheckedPlan, check: &Check) -> TestCase {
    if check.holds {
        return TestCase::new(check.expect.as_str(), TestCaseStatus::success());
    }
    if check.unknown {
        let mut status = TestCaseStatus::skipped();
        status.set_message(check.to_string());
        return TestCase::new(check.expect.as_str(), status);
    }
    let place = format!("{}:{}", checked.plan, check.line);
    let again = format!("{place}\n{check}\nto see this again: {}", checked.again);
    failed(&check.expect, NonSuccessKind::Failure, check.to_string(), again)
}

fn failed(name: &str, kind: NonSuccessKind, message: String, description: String) -> TestCase {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message).set_description(description);
    TestCase::new(name, status)
}
