"""Surface colours, RGB, 0..255, as in full white light."""

Color = tuple[float, float, float]


def scaled(color: Color, gain: float) -> Color:
    """Return the colour `gain` times as bright."""
    return color[0] * gain, color[1] * gain, color[2] * gain


def mixed(color: Color, other: Color, share: float) -> Color:
    """Blend a colour with a share, 0..1, of another."""
    return (
        color[0] + share * (other[0] - color[0]),
        color[1] + share * (other[1] - color[1]),
        color[2] + share * (other[2] - color[2]),
    )
