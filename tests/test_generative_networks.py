"""Encodeur et décodeur : formes, symétrie, oracles, petit apprentissage, refus des fautes."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_lib.generative.networks import Decoder, Encoder
from course_lib.models import n_parameters
from course_lib.runtime import make_generator


def pair(shape=(1, 8, 8), n_code=4, width=3, seed=0):
    torch.manual_seed(seed)
    return Encoder(shape, n_code, width=width), Decoder(n_code, shape, width=width)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 5), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 6)
)
def test_decoding_a_code_gives_back_the_shape_of_the_image(n, n_channels, quarter, other, n_code):
    shape = (n_channels, 4 * quarter, 4 * other)
    encoder, decoder = pair(shape, n_code)
    code = encoder(torch.rand(n, *shape))
    assert code.shape == (n, n_code)
    assert decoder(code).shape == (n, *shape)


def test_the_encoder_equals_the_same_functions_called_by_hand():
    encoder, _ = pair((2, 8, 12))
    x = torch.rand(5, 2, 8, 12)
    first, second, affine = (m for m in encoder.layers if isinstance(m, nn.Conv2d | nn.Linear))
    hidden = F.conv2d(x, first.weight, first.bias, stride=2, padding=1).relu()
    hidden = F.conv2d(hidden, second.weight, second.bias, stride=2, padding=1).relu()
    expected = hidden.flatten(1) @ affine.weight.T + affine.bias
    torch.testing.assert_close(encoder(x), expected)


def test_the_decoder_equals_the_same_functions_called_by_hand():
    _, decoder = pair((2, 8, 12))
    code = torch.randn(5, 4)
    kinds = nn.ConvTranspose2d | nn.Linear
    affine, first, second = (m for m in decoder.layers if isinstance(m, kinds))
    hidden = F.linear(code, affine.weight, affine.bias).relu().reshape(5, 6, 2, 3)
    hidden = F.conv_transpose2d(hidden, first.weight, first.bias, stride=2, padding=1).relu()
    expected = F.conv_transpose2d(hidden, second.weight, second.bias, stride=2, padding=1)
    torch.testing.assert_close(decoder(code), expected)


def test_layers_mirror_each_other():
    encoder, decoder = pair(width=5)
    going = [m.in_channels for m in encoder.layers if isinstance(m, nn.Conv2d)] + [10]
    coming = [10] + [m.out_channels for m in decoder.layers if isinstance(m, nn.ConvTranspose2d)]
    assert going == coming[::-1] == [1, 5, 10]


def test_counts_of_parameters_are_those_of_a_hand_count():
    encoder, decoder = pair((1, 8, 8), n_code=4, width=3)
    assert n_parameters(encoder) == (9 * 3 + 3) + (9 * 3 * 6 + 6) + (6 * 4 * 4 + 4)
    assert n_parameters(decoder) == (4 * 24 + 24) + (16 * 6 * 3 + 3) + (16 * 3 + 1)


def test_code_and_logits_are_not_bounded():
    encoder, decoder = pair()
    codes, images = encoder(100 * torch.rand(50, 1, 8, 8)), decoder(100 * torch.randn(50, 4))
    assert codes.min() < 0 < codes.max()
    assert images.min() < 0
    assert images.max() > 1


def test_eight_images_are_copied_through_a_code_of_three_numbers():
    encoder, decoder = pair(n_code=3, width=8)
    x = (torch.rand(8, 1, 8, 8, generator=make_generator(0)) > 0.5).float()
    model = nn.Sequential(encoder, decoder)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(model(x), x).backward()
        optimizer.step()
    assert ((model(x) > 0).float() == x).float().mean() > 0.99


def test_the_same_seed_gives_the_same_weights_and_the_input_is_untouched():
    first, second = pair(seed=3), pair(seed=3)
    x = torch.rand(2, 1, 8, 8)
    before = x.clone()
    torch.testing.assert_close(first[1](first[0](x)), second[1](second[0](x)), rtol=0, atol=0)
    torch.testing.assert_close(x, before, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(1, 8), (1, 8, 10), (1, 6, 8), (0, 8, 8), "18", (1.0, 8, 8), 8])
def test_a_shape_that_two_halvings_do_not_divide_is_refused(shape):
    with pytest.raises(ValueError, match="multiples de 4"):
        Encoder(shape, 2)
    with pytest.raises(ValueError, match="multiples de 4"):
        Decoder(2, shape)


@pytest.mark.parametrize(("n_code", "width", "name"), [(0, 8, "n_code"), (2, 0, "width")])
def test_sizes_below_one_are_refused_by_name(n_code, width, name):
    with pytest.raises(ValueError, match=name):
        Encoder((1, 8, 8), n_code, width=width)
    with pytest.raises(ValueError, match=name):
        Decoder(n_code, (1, 8, 8), width=width)


def test_inputs_of_another_shape_or_type_are_refused_with_the_shape_received():
    encoder, decoder = pair()
    with pytest.raises(ValueError, match=r"\(N, 1, 8, 8\) ; reçu \(2, 64\)"):
        encoder(torch.zeros(2, 64))
    with pytest.raises(ValueError, match=r"\(N, 4\) ; reçu \(2, 5\)"):
        decoder(torch.zeros(2, 5))
    with pytest.raises(ValueError, match="réels"):
        encoder(torch.zeros(2, 1, 8, 8, dtype=torch.int64))
