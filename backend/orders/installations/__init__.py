"""Installation (上门安装): what came of the visits of those who install."""
