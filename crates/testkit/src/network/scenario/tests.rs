use super::*;

fn parse(text: &str) -> Scenario {
    Scenario::parse("test", text).unwrap()
}

fn refused(text: &str) -> String {
    Scenario::parse("test", text).unwrap_err().to_string()
}

const LEAST: &str = "about = 'x'\nseconds = 20\npeople = 2\n";

#[test]
fn what_is_left_out_is_a_perfect_network() {
    let scenario = parse(LEAST);
    assert_eq!(scenario.name, "test");
    assert_eq!(scenario.clip, Clip { width: 640, height: 360, fps: 30 });
    assert_eq!(scenario.goals, Goals::default());
    let names: Vec<_> = scenario.people.iter().map(|person| &*person.name).collect();
    assert_eq!(names, ["ann", "bob"]);
    for person in &scenario.people {
        assert_eq!((&person.up, &person.down), (&PathConfig::default(), &PathConfig::default()));
        assert_eq!((person.address, person.udp_blocked), (AddressKind::Public, false));
    }
}

#[test]
fn one_differs_from_all_and_steps_change_only_what_they_name() {
    let scenario = parse(&format!(
        "{LEAST}
        [all]
        up = {{ delay_ms = 12.5, loss_percent = 10 }}
        down = {{ delay_ms = 12.5 }}
        [person.bob]
        address = 'symmetric'
        down = {{ rate_kbit_s = 2500 }}
        [[person.bob.step]]
        at_s = 15
        down = {{ rate_kbit_s = inf }}
        [[person.bob.step]]
        at_s = 5
        down = {{ rate_kbit_s = 500, queue_ms = 300 }}
        new_address = true"
    ));
    let [ann, bob] = scenario.people.as_slice() else { panic!("two") };
    assert_eq!((ann.up.loss, ann.up.delay), (0.1, Duration::from_micros(12_500)));
    assert_eq!((ann.address, bob.address), (AddressKind::Public, AddressKind::Symmetric));
    assert_eq!(bob.steps.len(), 2);
    assert!(bob.steps[0].new_address && bob.steps[0].up.is_none());
    let rate = |at| bob.path_at(Direction::Down, Duration::from_secs(at)).rate;
    assert_eq!([rate(0), rate(5), rate(19)], [Some(2_500_000), Some(500_000), None]);
    let last = bob.path_at(Direction::Down, Duration::from_secs(16));
    let kept = (last.delay, last.queue);
    assert_eq!(kept, (Duration::from_micros(12_500), Duration::from_millis(300)));
}

#[test]
fn goals_are_read() {
    let scenario = parse(&format!(
        "{LEAST}
        [all]
        down = {{ rate_kbit_s = 500 }}
        [goals]
        fps = 28
        except = ['bob']
        [[goals.path]]
        of = 'ann'
        direction = 'down'
        from_s = 2
        to_s = 10
        use_percent = 85
        [goals.unchanged]
        but = 'bob'
        before_s = [0, 5]
        after_s = [10, 20]
        percent = 5"
    ));
    assert_eq!(scenario.goals.fps, Some(28.0));
    assert_eq!(scenario.goals.path[0].direction, Direction::Down);
    assert_eq!(scenario.goals.unchanged.unwrap().after_s, [10.0, 20.0]);
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    let with = |more: &str| refused(&format!("{LEAST}{more}"));
    for (reason, error) in [
        ("missing field", refused("about = 'x'")),
        ("two to four", refused("about = 'x'\nseconds = 20\npeople = 5")),
        ("nothing to measure", refused("about = 'x'\nseconds = 3\npeople = 2")),
        ("unknown field", with("speed = 1")),
        ("those are ann, bob", with("[person.cat]")),
        ("unknown field", with("[all]\nup = { rate = 1 }")),
        ("say cut", with("[all]\nup = { rate_kbit_s = 0 }")),
        ("0 to 100", with("[all]\nup = { loss_percent = 101 }")),
        ("0 to 100", with("[all]\nup = { loss_percent = nan }")),
        ("belong together", with("[all]\nup = { burst_percent = 5 }")),
        ("at least 1", with("[all]\nup = { burst_percent = 5, burst_mean = 0.5 }")),
        ("delay_ms = -1", with("[all]\ndown = { delay_ms = -1 }")),
        ("after the end", with("[all]\nstep = [{ at_s = 21, up = { cut = true } }]")),
        ("is no time", with("[all]\nstep = [{ at_s = -1, up = { cut = true } }]")),
        ("unknown variant", with("[all]\naddress = 'conical'")),
        ("even", with("clip = { width = 641, height = 360 }")),
        ("nobody is called dan", with("[goals]\nexcept = ['dan']")),
        (
            "no span",
            with("[[goals.path]]\nof = 'ann'\ndirection = 'up'\nfrom_s = 5\nto_s = 21\nkbit_s = 1"),
        ),
        (
            "without a rate",
            with(
                "[[goals.path]]\nof = 'ann'\ndirection = 'up'\nfrom_s = 1\nto_s = 2\n\
                 use_percent = 85",
            ),
        ),
    ] {
        assert!(error.contains(reason), "«{reason}» is not in: {error}");
    }
}
