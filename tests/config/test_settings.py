import dataclasses
import tomllib
import typing

import pytest

from tfxfer.config.decided import (
    DecidedAugment,
    DecidedFinetune,
    DecidedFit,
    DecidedPretrain,
    DecidedText,
    GradientHead,
)
from tfxfer.config.recipes import changed_settings, changed_to_toml, read_recipe, to_toml
from tfxfer.config.schema import FitConfig, PretrainConfig
from tfxfer.config.settings import (
    option_of,
    setting_field,
    setting_keys,
    setting_meaning,
    setting_types,
)
from tfxfer.errors import UsageError


def test_settings_are_named_by_dotted_keys_in_the_order_of_explanation():
    keys = list(setting_keys(FitConfig))
    assert keys[0] == "data"
    assert keys.index("seed") < keys.index("head.epochs") < keys.index("finetune.epochs")
    assert len(keys) == len(set(keys))


def test_a_types_words_or_type_are_known():
    assert setting_types(FitConfig, "head.epochs") == (int,)
    assert setting_types(FitConfig, "finetune.batch_norm") == ("frozen", "adapt")
    assert setting_types(FitConfig, "head.hidden_units") == (tuple[int, ...],)


def test_new_values_win_and_the_rest_stays():
    config = FitConfig(seed=3).with_settings({"head": {"epochs": 7}, "backbone": "vgg16"})
    assert (config.seed, config.head.epochs, config.backbone) == (3, 7, "vgg16")
    assert config.head == dataclasses.replace(FitConfig().head, epochs=7)


def test_whole_numbers_serve_as_numbers_and_lists_as_tuples():
    config = FitConfig().with_settings({"head": {"learning_rate": 1, "hidden_units": [64, 32]}})
    assert config.head.learning_rate == 1.0
    assert isinstance(config.head.learning_rate, float)
    assert config.head.hidden_units == (64, 32)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head": {"epohcs": 1}}, r"'head.epohcs'.*'head.epochs'\?"),
        ({"wieghts": "none"}, r"'wieghts'.*'weights'\?"),
        ({"batch_size": 0}, "'batch_size' is 0.* at least 1"),
        ({"seed": "x"}, "'seed' is 'x'.* whole number"),
        ({"seed": True}, "'seed' is True.* whole number"),
        ({"seed": 2**31}, "'seed' is 2147483648.* at most 2147483647"),
        ({"validation_fraction": 1}, "'validation_fraction' is 1.0.* below 1"),
        ({"validation_fraction": 0}, "'validation_fraction' is 0.0.* above 0"),
        ({"augment": {"zoom": float("nan")}}, "'augment.zoom' is nan.* at least 0"),
        ({"augment": {"flip": 1}}, "'augment.flip' is 1.* true or false"),
        ({"head": {"hidden_units": [0]}}, r"'head.hidden_units' is \(0,\).* at least 1"),
        ({"head": {"hidden_units": 5}}, "'head.hidden_units' is 5.* list of whole"),
        (
            {"head": {"pooling": "averge"}},
            r"'head.pooling' is 'averge'.* 'average', 'max', 'both', 'flatten'.*mean 'average'\?",
        ),
        ({"head": 3}, r"'head' is a section.*\[head\]"),
        ({"seed": {"a": 1}}, "'seed' is a setting"),
        (
            {"head": {"epochs": 0}, "finetune": {"epochs": 0}},
            "'head.epochs' and 'finetune.epochs' are both 0",
        ),
        ({"augment": {"crop": 0}}, "'augment.crop' is 0.0.* above 0"),
        ({"augment": {"crop": 1.1}}, "'augment.crop' is 1.1.* at most 1"),
        ({"augment": {"policy": "triv"}}, "'augment.policy' is 'triv'.* 'none', 'trivial', 'rand'"),
    ],
)
def test_an_unknown_key_or_impossible_value_is_named_with_what_is_allowed(settings, message):
    with pytest.raises(UsageError, match=message):
        FitConfig().with_settings(settings)


@pytest.mark.parametrize("kind", [FitConfig, PretrainConfig])
@pytest.mark.parametrize("name", ["shift", "zoom"])
def test_crops_are_refused_with_a_shift_or_a_zoom_but_not_without(kind, name):
    with pytest.raises(UsageError, match=rf"'augment.crop' is 0\.2.*'augment.{name}' is 0\.1"):
        kind().with_settings({"augment": {"crop": 0.2, name: 0.1}})
    kind().with_settings({"augment": {"crop": 0.2, name: 0.0, "rotation": 5.0}})
    kind().with_settings({"augment": {"crop": 1.0, name: 0.1}})


def test_a_record_made_directly_is_checked_too():
    with pytest.raises(UsageError, match="Setting 'batch_size' is -1"):
        FitConfig(batch_size=-1)


def test_a_recipe_overrides_the_defaults(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text('backbone = "vgg16"\n[finetune]\nunfreeze = "block5"\n')
    config = read_recipe(path, FitConfig(seed=3))
    assert config.backbone == "vgg16"
    assert config.finetune.unfreeze == "block5"
    assert config.seed == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[head]\nepohcs = 1\n", "'head.epohcs'.*recipe.toml'.*'head.epochs'"),
        ("batch_size = 0\n", "recipe.toml'.*'batch_size' is 0"),
        ("batch_size = \n", "recipe.toml'.*not valid TOML: "),
        ("name = '\udcff'\n", "Cannot read .*recipe.toml': "),
    ],
)
def test_a_bad_recipe_is_named(tmp_path, text, message):
    path = tmp_path / "recipe.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match=message):
        read_recipe(path, FitConfig())


def test_a_missing_recipe_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"no recipe '.*none\.toml'"):
        read_recipe(tmp_path / "none.toml", FitConfig())


def test_written_settings_are_read_back_equal(tmp_path):
    config = FitConfig(data='a "quoted" \\ name\n日本').with_settings(
        {"head": {"learning_rate": 1e-5, "hidden_units": [8]}, "augment": {"flip": False}}
    )
    path = tmp_path / "config.toml"
    path.write_text(to_toml(config), encoding="utf-8")
    assert read_recipe(path, FitConfig()) == config
    assert "epochs" not in tomllib.loads(to_toml(config))["head"]


def test_a_pretraining_has_its_own_settings_under_the_same_rules(tmp_path):
    config = PretrainConfig().with_settings({"epochs": 7, "augment": {"shift": 0.2}})
    assert (config.epochs, config.augment.shift, config.nesterov) == (7, 0.2, True)
    path = tmp_path / "config.toml"
    path.write_text(to_toml(config), encoding="utf-8")
    assert read_recipe(path, PretrainConfig()) == config
    with pytest.raises(UsageError, match=r"'epochs' is 0.*at least 1"):
        PretrainConfig(epochs=0)
    with pytest.raises(UsageError, match="Unknown setting 'head'."):
        PretrainConfig().with_settings({"head": {"epochs": 3}})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"compare_examples": 5},
            "'compare_examples'.* is off.* --compare-scratch",
        ),
        ({"compare_scratch": True, "weights": "none"}, "'compare_scratch'.* 'weights' is 'none'"),
        ({"folds": 2}, "'folds' is 2, .* at least 3, or 0"),
        ({"coverage": 0.8}, "'coverage' is 0.8, but 'unknown' is off"),
        ({"unknown": True, "unknown_rate": 1.0}, "unknown_rate"),
        ({"folds": 5, "weights": "none"}, "'folds' .* 'weights' is 'none'"),
    ],
)
def test_a_comparison_needs_something_to_compare(settings, message):
    with pytest.raises(UsageError, match=message):
        FitConfig().with_settings(settings)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (
            {"optimizer": "lbfgs", "hidden_units": [8]},
            "'head.optimizer' is 'lbfgs'.* 'head.hidden_units' is set.* 'adam', 'adamw' or 'sgd'",
        ),
        (
            {"optimizer": "lbfgs", "learning_rate": 0.1},
            "'head.learning_rate'.* 'lbfgs'.* 'head.optimizer' to 'adam', 'adamw' or 'sgd'",
        ),
        ({"optimizer": "lbfgs", "clip_norm": 1.0}, "'head.clip_norm'.* 'lbfgs'"),
        (
            {"optimizer": "adam", "penalty": 0.1},
            "'head.penalty'.* 'lbfgs', but 'head.optimizer' is 'adam'.* 'head.weight_decay'",
        ),
        ({"penalty": -1.0}, "'head.penalty' is -1.0.*at least 0"),
    ],
)
def test_settings_that_belong_to_another_optimizer_are_errors(head, message):
    with pytest.raises(UsageError, match=message):
        FitConfig().with_settings({"head": head})


@pytest.mark.parametrize(
    "setting",
    [
        {"head_rate": 10.0},
        {"layer_decay": 0.9},
        {"ema": 0.9},
        {"echo": 2},
        {"average": "soup"},
        {"gradual": True},
    ],
)
@pytest.mark.parametrize("skipped", [{"epochs": 0}, {"unfreeze": "none"}])
def test_settings_of_a_finetune_phase_that_there_is_not_are_errors(setting, skipped):
    (name,), (reason,) = setting, skipped
    message = f"'finetune.{name}' is for the finetune phase, but 'finetune.{reason}' is "
    with pytest.raises(UsageError, match=message):
        FitConfig().with_settings({"finetune": setting | skipped})
    FitConfig().with_settings({"finetune": setting})
    defaults = {name: getattr(FitConfig().finetune, name) for name in setting}
    FitConfig().with_settings({"finetune": defaults | skipped})


def test_one_epoch_is_not_divided_among_stages():
    with pytest.raises(UsageError, match=r"'finetune.gradual' .*'finetune.epochs' is 1"):
        FitConfig().with_settings({"finetune": {"gradual": True, "epochs": 1}})


@pytest.mark.parametrize("skipped", [{"epochs": 0}, {"unfreeze": "none"}])
def test_a_range_test_needs_a_finetune_phase(skipped):
    with pytest.raises(UsageError, match=r"'find_rate' is for the finetune phase"):
        FitConfig(find_rate=True).with_settings({"finetune": skipped})


@pytest.mark.parametrize(
    ("others", "reason"),
    [({"weights": "none"}, "'weights' is 'none'"), ({"head": {"epochs": 0}}, "'head.epochs' is 0")],
)
def test_wise_ft_needs_a_head_phase(others, reason):
    with pytest.raises(UsageError, match=f"'finetune.average' is 'wise', .*{reason}.*'soup'"):
        FitConfig().with_settings({"finetune": {"average": "wise"}, **others})
    FitConfig().with_settings({"finetune": {"average": "soup"}, **others})


@pytest.mark.parametrize("section", ["finetune", "pretrain"])
def test_only_a_head_can_be_solved(section):
    with pytest.raises(UsageError, match="optimizer' is 'lbfgs'; allowed are 'sgd', 'adam', 'adam"):
        if section == "finetune":
            FitConfig().with_settings({"finetune": {"optimizer": "lbfgs"}})
        else:
            PretrainConfig(optimizer="lbfgs")


def test_memory_is_counted_in_bytes():
    assert FitConfig(memory_gigabytes=0.5).memory_bytes == 5 * 10**8


def test_changed_settings_are_named_by_their_dotted_keys():
    assert changed_settings(FitConfig()) == {}
    config = FitConfig(data="digits", seed=0).with_settings(
        {"head": {"hidden_units": [8]}, "augment": {"flip": False}}
    )
    assert changed_settings(config) == {
        "data": "digits",
        "head.hidden_units": (8,),
        "augment.flip": False,
    }
    text = changed_to_toml(config)
    assert FitConfig().with_settings(tomllib.loads(text)) == config
    assert text.splitlines()[:2] == ['data = "digits"', ""]


@pytest.mark.parametrize(
    "data", ["data{1}", "%s {0}", "a\x7fb", "quote\"s\\ '", "a\tb\nc", "猫", "#x", "[y]"]
)
def test_a_recipe_keeps_any_text(data, tmp_path):
    config = FitConfig(data=data)
    (tmp_path / "config.toml").write_text(to_toml(config), encoding="utf-8")
    assert read_recipe(tmp_path / "config.toml", FitConfig()) == config


@pytest.mark.parametrize("code", [*range(0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0xFEFF])
def test_a_recipe_keeps_every_control_character(code, tmp_path):
    text = chr(code)
    config = FitConfig(data=f"{text}a{text}{text}b{text}", run=text, weights=f"\\{text}")
    (tmp_path / "config.toml").write_text(to_toml(config), encoding="utf-8", newline="")
    assert read_recipe(tmp_path / "config.toml", FitConfig()) == config


def test_a_recipe_of_before_reads_as_before(tmp_path):
    (tmp_path / "config.toml").write_text(
        'data = "a\\u007fb \\u0001 \\"q\\" \\\\ 猫"\nxla = "off"\nmemory_gigabytes = 2.0\n'
        "calibrate = false\n\n[head]\nepochs = 100\nhidden_units = [64, 32]\n\n"
        "[finetune]\nlearning_rate = 1e-05\n\n[augment]\n",
        encoding="utf-8",
    )
    expected = FitConfig(data='a\x7fb \x01 "q" \\ 猫', xla="off").with_settings(
        {"head": {"epochs": 100, "hidden_units": [64, 32]}, "finetune": {"learning_rate": 1e-5}}
    )
    assert read_recipe(tmp_path / "config.toml", FitConfig()) == expected


def test_a_recipe_may_have_a_byte_order_mark_and_the_lines_of_windows(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfdata = 'photos'\r\nseed = 3\r\n")
    assert read_recipe(tmp_path / "a.toml", FitConfig()) == FitConfig(data="photos", seed=3)


def test_a_tilde_is_the_home_directory_in_every_setting_that_is_a_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    names = ("data", "data_dir", "cache_dir", "runs_dir", "weights", "export_dir")
    keys = set(setting_keys(FitConfig)) - {"class_weights", "task_weights"}
    assert {key for key in keys if key.endswith(("dir", "data", "weights"))} == set(names)
    for name in names:
        assert FitConfig(**{name: "~/a b"}).get(name) == f"{tmp_path}/a b"
        assert FitConfig(**{name: "none"}).get(name) == "none"
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('runs_dir = "~/runs"\n')
    config = read_recipe("~/recipe.toml", FitConfig())
    assert config.runs_dir == f"{tmp_path}/runs"
    assert f'runs_dir = "{tmp_path}/runs"' in to_toml(config)
    (tmp_path / "~").mkdir()
    assert FitConfig(runs_dir="~").runs_dir == "~"  # what is called so comes first


def test_a_tilde_of_nobody_is_named_with_its_setting_and_file(tmp_path):
    with pytest.raises(UsageError, match="Setting 'cache_dir' is '~nobodyatall/x'.*no user"):
        FitConfig(cache_dir="~nobodyatall/x")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('export_dir = "~nobodyatall"\n')
    with pytest.raises(UsageError, match=r"In '.*recipe.toml': Setting 'export_dir'"):
        read_recipe(recipe, FitConfig())


@pytest.mark.parametrize(
    ("key", "option"),
    [("data", "--data"), ("head.epochs", "--head-epochs"), ("runs_dir", "--runs-dir")],
)
def test_a_setting_is_an_option_of_the_same_words(key, option):
    assert option_of(key) == option


def test_no_two_settings_are_one_option():
    for kind in (FitConfig, PretrainConfig):
        keys = list(setting_keys(kind))
        assert len({option_of(key) for key in keys}) == len(keys)


def test_every_setting_says_what_it_does():
    for kind in (FitConfig, PretrainConfig):
        for key in setting_keys(kind):
            meaning = setting_meaning(kind, key)
            assert meaning.endswith("."), key
            assert "[default" not in meaning, key  # that is `unset`, or the default itself
    assert "frozen" in setting_meaning(FitConfig, "head.epochs")
    assert "unfrozen" in setting_meaning(FitConfig, "finetune.epochs")


def test_a_setting_that_is_open_says_what_that_means_unless_it_is_decided():
    for kind, decided in ((FitConfig, DecidedFit), (PretrainConfig, DecidedPretrain)):
        told = {key for key in setting_keys(kind) if setting_field(kind, key).metadata["unset"]}
        hints = {
            "": typing.get_type_hints(decided),
            "head.": typing.get_type_hints(GradientHead),
            "finetune.": typing.get_type_hints(DecidedFinetune),
            "augment.": typing.get_type_hints(DecidedAugment),
            "text.": typing.get_type_hints(DecidedText),
        }
        for key in setting_keys(kind):
            section, _, name = key.rpartition(".")
            hint = hints[f"{section}." if section else ""][name]
            stays_open = type(None) in typing.get_args(hint)
            if stays_open and key not in ("validation_fraction", "test_fraction"):  # by the data
                assert key in told, key
            assert key not in told or setting_field(kind, key).default is None, key


@pytest.mark.parametrize("given", ["224x320", "224 X 320", (224, 320), [224, 320]])
def test_an_oblong_size_is_kept_as_text_and_a_square_one_as_a_number(given):
    config = FitConfig().with_settings({"image_size": given})
    assert config.image_size == "224x320"
    assert FitConfig(image_size=given).image_size == "224x320"
    assert FitConfig(image_size="224x224").image_size == 224
    assert FitConfig().with_settings({"image_size": "224"}) == FitConfig(image_size=224)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("large", "'image_size' is 'large'; it must be the side of a square.* '224x320'"),
        (224.0, r"'image_size' is 224\.0; it must be"),
        (True, "'image_size' is True; it must be"),
        ("4x224", "'image_size' is '4x224'; it must be at least 8"),
        ("224x9000", "'image_size' is '224x9000'; it must be at most 4096"),
        (7, "'image_size' is 7; it must be at least 8"),
    ],
)
def test_what_is_no_size_or_outside_the_limits_is_an_error(given, message):
    with pytest.raises(UsageError, match=message):
        FitConfig().with_settings({"image_size": given})


def test_the_model_distorts_no_image_for_the_backbone():
    FitConfig(image_size="128x192", input_size="32x48")
    FitConfig(image_size="128x192", input_size="33x49")  # as near as whole pixels are
    for image_size, input_size in (("128x192", 48), (128, "32x48"), ("128x192", "48x32")):
        with pytest.raises(UsageError, match="'image_size' is .*different shapes.*'input_size'"):
            FitConfig(image_size=image_size, input_size=input_size)


@pytest.mark.parametrize(
    ("augment", "makes_views"),
    [
        ({}, False),
        ({"flip": True}, False),
        ({"flip": True, "shift": 0.1}, True),
        ({"zoom": 0.1}, True),
        ({"rotation": 10.0}, True),
        ({"crop": 0.2}, True),
        ({"policy": "trivial"}, True),
        ({"shift": 0.1, "mixup": 0.2}, False),
        ({"shift": 0.1, "cutmix": 1.0}, False),
    ],
)
def test_mirror_images_and_mixed_images_are_no_views(augment, makes_views):
    assert FitConfig().with_settings({"augment": augment}).augment.makes_views == makes_views
