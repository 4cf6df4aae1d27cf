"""The power that a plan promises is that of the rule which decides."""

import numpy as np
import pytest
from populations import Scenes, scored

from segmentation.evaluation.comparison.seeds import SeededRuns, difference_of
from segmentation.evaluation.statistics.bootstrap import sample
from segmentation.evaluation.statistics.intervals import p_values
from segmentation.evaluation.statistics.resampling import by_image
from segmentation.evaluation.statistics.seeds import pooled_deviation, power
from segmentation.evaluation.statistics.spread import image_variance

TRIALS, DEVIATION = 200, 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "better"), [(3, 0.2), (5, 0.2), (5, 0.1)])
def test_the_simulated_power_is_that_of_the_bootstrap(seeds, better):
    random = np.random.default_rng(0)
    found, effects, variances, freedoms, deviations = [], [], [], [], []
    for trial in range(TRIALS):
        scenes, resampling = Scenes(random, 60), by_image(60, 499, trial)
        runs = [
            scored(scenes.predict(shift + DEVIATION * random.normal()))
            for shift in seeds * [0.0] + seeds * [better]
        ]
        both = list(zip(sample(runs, resampling), runs, strict=True))
        first, second = (
            SeededRuns.of(name, part, None, trial)
            for name, part in (("a", both[:seeds]), ("b", both[seeds:]))
        )
        found.append(p_values(difference_of(second, first), resampling)[-1] <= 0.05)
        effects.append(np.mean(second.mious) - np.mean(first.mious))
        influence = second.together.influence - first.together.influence
        _, variance, freedom = image_variance(influence, first.together.held, resampling)
        variances.append(variance[-1])
        freedoms.append(freedom[-1])
        deviations.append(pooled_deviation([first.mious, second.mious])[0])
    deviation = float(np.sqrt(np.mean(np.square(deviations))))
    images = float(np.mean(variances)), float(np.median(freedoms))
    promised = power(float(np.mean(effects)), deviation, seeds, images, 0.05)
    assert 0.1 < promised < 0.95
    assert np.mean(found) == pytest.approx(promised, abs=0.1)
