import numpy as np
import pytest
from PIL import Image

from testing.machine import ROOT
from tests.browser.examples import SPRITE, images_of_mnist, sprite


@pytest.mark.skipif(not (ROOT / "data" / "t10k-images-idx3-ubyte").is_file(), reason="needs MNIST: make data")
def test_the_examples_are_test_images() -> None:
    np.testing.assert_array_equal(np.asarray(Image.open(SPRITE)), np.asarray(sprite(images_of_mnist())))
